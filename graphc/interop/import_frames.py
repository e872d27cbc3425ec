"""TensorFlow 1's control flow of switches and merges, found again as loops and branches.

Lives here: structured. Not here: how loops and branches are made (interop/import_control.py).
Imports messages.

What a graph means is in its dead tensors: a Switch lets its data through on one side, and whatever
reads the other side does not run. So every node has a frame (the loops it is in) and facts (the
predicates under which it runs, as far as its frame is concerned); both follow from its inputs. A
Merge of a NextIteration is a loop variable. Any other Merge ends a branch: its inputs differ in one
fact. Loops and branches become nodes of their own, with the nodes inside of them in lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from graphc.errors import InvalidArgumentError
from graphc.interop.messages import NodeDef

LOOP, BRANCHES = "_Loop", "_Branches"
ENTERS = frozenset({"Enter", "RefEnter"})
EXITS = frozenset({"Exit", "RefExit"})
NEXTS = frozenset({"NextIteration", "RefNextIteration"})
SWITCHES = frozenset({"Switch", "RefSwitch"})
MERGES = frozenset({"Merge", "RefMerge"})
_CONTROL = ENTERS | EXITS | NEXTS | SWITCHES | MERGES | {"LoopCond"}

Path = tuple[str, ...]
Fact = tuple[str, int]  # a predicate and its value


@dataclass
class LoopPart:
    """A loop. Texts name tensors; `merges` are the loop variables' names inside.

    Attributes:
        enters: initial values. nexts: values for the next step. test: whether to go on.
    """

    enters: list[str]
    merges: list[str]
    nexts: list[str]
    test: str
    cond_nodes: list[NodeDef] = field(default_factory=list)
    body_nodes: list[NodeDef] = field(default_factory=list)


@dataclass
class BranchPart:
    """A branch: on `pred`; the values of both sides, and their nodes."""

    pred: str
    then: list[str]
    orelse: list[str]
    then_nodes: list[NodeDef] = field(default_factory=list)
    else_nodes: list[NodeDef] = field(default_factory=list)


Part = LoopPart | BranchPart


def split_input(text: str) -> tuple[str, int]:
    """ "x:1" -> ("x", 1), "^x" -> ("x", -1)."""
    if text.startswith("^"):
        return text[1:], -1
    name, _, number = text.partition(":")
    return name, int(number or 0)


def structured(nodes: Sequence[NodeDef]) -> tuple[list[NodeDef], dict[str, Part]]:
    """The nodes without control flow, and the loops and branches among them by name.

    A graph without control flow comes back as it is; so do parts that make no sense.
    """
    if not any(nd.op in MERGES and len(nd.input) > 1 for nd in nodes):
        return list(nodes), {}
    work = _Structure(nodes)
    return work.top(), work.parts


class _Structure:
    """One graph's frames and facts."""

    def __init__(self, nodes: Sequence[NodeDef]) -> None:
        self.order = list(nodes)
        self.nodes = {nd.name: nd for nd in nodes}
        self.asked = {t for nd in nodes for t in nd.input if t.endswith(":1")}
        self.plain = self._initialized()
        self.parts: dict[str, Part] = {}
        self.path: dict[str, Path] = {}
        self.facts: dict[str, frozenset[Fact]] = {}
        self.around: dict[Path, frozenset[Fact]] = {}  # facts where a frame stands
        self.frame_merges: dict[Path, list[str]] = {}
        self.frame_exits: dict[Path, list[str]] = {}
        self.tests: dict[Path, str] = {}
        self.groups: dict[tuple[str, str, Path, frozenset[Fact]], list[str]] = {}
        self.group_of: dict[str, tuple[str, str, Path, frozenset[Fact]]] = {}
        self.made: dict[object, NodeDef] = {}
        for nd in self._forward():
            self._place(nd)

    # ------------------------------------------------------------ what nodes are
    def source(self, text: str) -> NodeDef | None:
        return self.nodes.get(split_input(text)[0])

    def root(self, text: str) -> str:
        """The tensor behind Identity nodes."""
        nd = self.source(text)
        while nd is not None and nd.op == "Identity" and nd.input:
            text = nd.input[0]
            nd = self.source(text)
        name, index = split_input(text)
        return f"{name}:{index}"

    def _initialized(self) -> set[str]:
        """Switches and merges on whether a variable is initialised: those have a rule."""
        out: set[str] = set()
        preds = set()
        for nd in self.order:
            if nd.op in SWITCHES and len(nd.input) > 1:
                root = self.root(nd.input[1])
                asked = self.source(root)
                if asked is not None and asked.op == "IsVariableInitialized":
                    if split_input(asked.input[0])[0] == split_input(nd.input[0])[0]:
                        preds.add(root)
        for nd in self.order:
            if nd.op in SWITCHES and len(nd.input) > 1 and self.root(nd.input[1]) in preds:
                out.add(nd.name)
        for nd in self.order:
            if nd.op in MERGES and any(split_input(self.root(t))[0] in out for t in nd.input):
                out.add(nd.name)
        return out

    def kind(self, nd: NodeDef) -> str:
        """What a node does to control flow; "" for all others."""
        if nd.op not in _CONTROL or nd.name in self.plain or not nd.input:
            return ""
        if nd.op in ENTERS:
            return "enter"
        if nd.op in EXITS:
            return "exit"
        if nd.op in NEXTS:
            return "next"
        if nd.op == "LoopCond":
            return "test"
        if nd.op in MERGES:
            nexts = (self.source(t) for t in nd.input)
            return "variable" if any(s is not None and s.op in NEXTS for s in nexts) else "merge"
        if len(nd.input) < 2:
            return ""
        pred = self.source(self.root(nd.input[1]))
        return "loop switch" if pred is not None and pred.op == "LoopCond" else "switch"

    def _forward(self) -> Iterator[NodeDef]:
        """Nodes behind their inputs; what goes back to the next step does not count."""
        done: set[str] = set()
        for start in self.order:
            stack = [(start, self._ahead(start))] if start.name not in done else []
            done.add(start.name)
            while stack:
                nd, inputs = stack[-1]
                for source in inputs:
                    if source.name not in done:
                        done.add(source.name)
                        stack.append((source, self._ahead(source)))
                        break
                else:
                    stack.pop()
                    yield nd

    def _ahead(self, nd: NodeDef) -> Iterator[NodeDef]:
        loop = nd.op in MERGES
        found = [self.source(t) for t in nd.input]
        return iter([s for s in found if s is not None and not (loop and s.op in NEXTS)])

    # ------------------------------------------------------------ frames and facts
    def _known(self, text: str) -> tuple[Path, frozenset[Fact]]:
        name, index = split_input(text)
        path, facts = self.path.get(name, ()), self.facts.get(name, frozenset())
        nd = self.nodes.get(name)
        if nd is not None and index >= 0 and self.kind(nd) == "switch":
            facts = facts | {(self.root(nd.input[1]), index)}
        return path, facts

    def _place(self, nd: NodeDef) -> None:
        kind = self.kind(nd)
        found = [self._known(t) for t in nd.input if split_input(t)[0] in self.path]
        path = max((p for p, _ in found), key=len, default=())
        facts = frozenset(f for p, fs in found if p == path for f in fs)
        if kind == "enter":
            frame = nd.attr["frame_name"].s.decode()
            self.around[(*path, frame)] = self.around.get((*path, frame), frozenset()) | facts
            path, facts = (*path, frame), frozenset()
        elif kind == "exit":
            self.frame_exits.setdefault(path, []).append(nd.name)
            path, facts = path[:-1], self.around.get(path, frozenset())
        elif kind == "variable":
            self.frame_merges.setdefault(path, []).append(nd.name)
            facts = frozenset()
        elif kind == "test":
            self.tests[path] = nd.input[0]
        elif kind == "merge":
            facts = self._merged(nd, path, [f for _, f in found[:2]])
        self.path[nd.name], self.facts[nd.name] = path, facts

    def _merged(
        self, nd: NodeDef, path: Path, sides: Sequence[frozenset[Fact]]
    ) -> frozenset[Fact]:
        """Notes which branch ends here; returns the facts that hold behind it."""
        if len(sides) < 2:
            self.plain.add(nd.name)
            return frozenset()
        first, second = sides
        only = [(p, v, first - second, second - first) for p, v in first ^ second]
        both = [p for p, v, a, b in only if (p, v) in a and (p, 1 - v) in b]
        if not only:
            self.plain.add(nd.name)
            return first
        pred = both[0] if both else only[0][0]
        facts = first & second
        key = (nd.name.rpartition("/")[0], pred, path, facts)
        self.groups.setdefault(key, []).append(nd.name)
        self.group_of[nd.name] = key
        return facts

    # ------------------------------------------------------------ lists of nodes
    def resolve(self, text: str) -> str:
        """The tensor that a text stands for, through what only steers."""
        mark = "^" if text.startswith("^") else ""
        while True:
            nd = self.source(text)
            kind = "" if nd is None else self.kind(nd)
            if mark and kind == "variable":
                return ""
            if nd is None or kind not in ("enter", "switch", "loop switch", "test", "next"):
                return text
            if mark:
                return ""  # these run whenever something needs them
            text = nd.input[0]

    def holder(self, nd: NodeDef) -> NodeDef | None:
        """The loop or the branch that an Exit or a Merge is an output of."""
        kind = self.kind(nd)
        if kind == "exit":
            return self._loop(self.path[split_input(nd.input[0])[0]])
        if kind == "merge" and nd.name in self.group_of:
            return self._branches(self.group_of[nd.name])
        return None

    def copy(self, nd: NodeDef) -> NodeDef:
        """The node with inputs that are there; Exits and Merges read their holder."""
        made = NodeDef(name=nd.name, op=nd.op, device=nd.device)
        kind = self.kind(nd)
        if kind == "exit":
            path = self.path[split_input(nd.input[0])[0]]
            made.op = "Identity"
            made.input.append(f"{self._loop(path).name}:{self._exit_number(nd, path)}")
            return made
        if kind == "merge":
            key = self.group_of[nd.name]
            made.op = "_Merged"
            made.input.append(f"{self._branches(key).name}:{self.groups[key].index(nd.name)}")
            if f"{nd.name}:1" in self.asked:
                # which input it was: 0 or 1
                made.input.append(self.resolve(key[1]))
                made.attr["then"].i = int(self._sides(nd, key[1])[0] == nd.input[1])
            return made
        made.input.extend(t for t in map(self.resolve, nd.input) if t)
        for key_, value in nd.attr.items():
            made.attr[key_].CopyFrom(value)
        return made

    def _exit_number(self, nd: NodeDef, path: Path) -> int:
        """The number of the loop variable that leaves here."""
        switch = self.source(self.root(nd.input[0]))
        variable = ""
        if switch is not None:
            text = switch.input[0] if self.kind(switch) == "loop switch" else nd.input[0]
            variable = split_input(self.root(text))[0]
        merges = self.frame_merges.get(path, [])
        if variable not in merges:
            raise InvalidArgumentError(f"{nd.name!r} leaves a loop, but is no variable of it")
        return merges.index(variable)

    def top(self) -> list[NodeDef]:
        out: list[NodeDef] = []
        listed: set[str] = set()
        for nd in self.order:
            if self.path.get(nd.name) or self.facts.get(nd.name):
                continue
            if self.kind(nd) in ("switch", "loop switch", "next", "test", "enter"):
                continue
            holder = self.holder(nd)
            if holder is not None and holder.name not in listed:
                listed.add(holder.name)
                out.append(holder)
            out.append(self.copy(nd))
        return out

    def collect(
        self, wanted: Iterable[str], path: Path, facts: frozenset[Fact], stop: frozenset[str]
    ) -> tuple[list[NodeDef], list[str]]:
        """The nodes of a region that these tensors need, and the texts from around it."""
        found: dict[str, NodeDef] = {}
        outside: dict[str, None] = {}
        stack = [self.resolve(t) for t in wanted]
        while stack:
            text = stack.pop()
            name = split_input(text)[0]
            if not text or name in found or name in stop:
                continue
            nd = self.nodes.get(name)
            if nd is None:
                made = self.made.get(name)
                if made is not None and self._inside(name, path, facts):
                    found[name] = made
                    stack.extend(made.input)
                else:
                    outside[text] = None
                continue
            if not self._inside(name, path, facts) or self.kind(nd) == "variable":
                outside[text] = None
                continue
            holder = self.holder(nd)
            found[name] = made = self.copy(nd)
            if holder is not None:
                self.made[holder.name] = holder
                self.path[holder.name] = self.path[name]
                self.facts[holder.name] = self.facts[name]
            stack.extend(made.input)
        # the order of the file: what has effects keeps it
        rank = {nd.name: k for k, nd in enumerate(self.order)}
        return sorted(found.values(), key=lambda n: rank.get(n.name, -1)), list(outside)

    def _inside(self, name: str, path: Path, facts: frozenset[Fact]) -> bool:
        return self.path.get(name, ()) == path and self.facts.get(name, frozenset()) >= facts

    # ------------------------------------------------------------ loops and branches
    def _name(self, wanted: str) -> str:
        count, name = 0, wanted
        while name in self.nodes or name in self.parts:
            count += 1
            name = f"{wanted}_{count}"
        return name

    def _loop(self, path: Path) -> NodeDef:
        known = self.made.get(path)
        if known is not None:
            return known
        merges = self.frame_merges.get(path)
        if merges is None or path not in self.tests:
            raise InvalidArgumentError(
                f"the loop {path[-1]!r} lacks its condition or its variables in this graph"
            )
        nexts: list[str] = []
        enters: list[str] = []
        for name in merges:
            for text in self.nodes[name].input[:2]:
                source = self.source(text)
                back = source is not None and source.op in NEXTS
                (nexts if back else enters).append(self.resolve(text))
        test = self.resolve(self.tests[path])
        stop = frozenset(merges)
        part = LoopPart(enters, list(merges), nexts, test)
        part.cond_nodes, first = self.collect([test], path, frozenset(), stop)
        part.body_nodes, second = self.collect(nexts, path, frozenset(), stop)
        made = NodeDef(name=self._name(path[-1]), op=LOOP)
        made.input.extend(dict.fromkeys([*enters, *first, *second]))
        self.parts[made.name] = part
        self.made[path] = self.made[made.name] = made
        return made

    def _sides(self, nd: NodeDef, pred: str) -> tuple[str, str]:
        """(the value where pred is true, the value where it is false)."""
        first, second = nd.input[0], nd.input[1]
        a, b = self._known(first)[1], self._known(second)[1]
        swapped = (pred, 0) in a - b or (pred, 1) in b - a
        return (second, first) if swapped else (first, second)

    def _branches(self, key: tuple[str, str, Path, frozenset[Fact]]) -> NodeDef:
        known = self.made.get(key)
        if known is not None:
            return known
        scope, pred, path, facts = key
        sides = [self._sides(self.nodes[name], pred) for name in self.groups[key]]
        part = BranchPart(
            self.resolve(pred), [self.resolve(t) for t, _ in sides],
            [self.resolve(t) for _, t in sides],
        )  # fmt: skip
        stop = frozenset(self.groups[key])
        part.then_nodes, first = self.collect(part.then, path, facts | {(pred, 1)}, stop)
        part.else_nodes, second = self.collect(part.orelse, path, facts | {(pred, 0)}, stop)
        made = NodeDef(name=self._name(f"{scope}/branches" if scope else "branches"), op=BRANCHES)
        made.input.extend(dict.fromkeys([part.pred, *first, *second]))
        self.parts[made.name] = part
        self.made[key] = self.made[made.name] = made
        return made
