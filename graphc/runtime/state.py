"""What a session keeps between runs: variables' values and random streams.

Lives here: VariableStore, RandomStreams, RunContext. Not here: plans. Imports ir, errors, NumPy.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import FailedPreconditionError, InternalError
from graphc.ir.faults import located
from graphc.ir.node import Node

if TYPE_CHECKING:
    from graphc.runtime.trace import Trace

Array = np.ndarray[Any, Any]


class VariableStore:
    """The values of one session's variables. Memory stays where it is while shapes stay.

    `epoch` changes whenever a variable gets new memory or is initialised for the first time, so
    that plans know when their pointers are stale. `odd` are the variables whose values have shapes
    that a plan cannot know from the graph: partly unknown there, or another one. `version` changes
    behind every write of any variable; `panels` are weights as tiles read them (runtime/panels.py).
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.arrays: dict[Node, Array] = {}
        self.epoch = 0
        self.version = 0
        self.panels: dict[Any, Any] = {}
        # by device: the variables that live there (runtime/gpu/values.py)
        self.on_device: dict[Any, Any] = {}
        self.odd: set[Node] = set()
        # instances of bindings that this session has used (runtime/binding.py)
        self.instances: dict[Any, list[Any]] = {}
        # what ops keep from run to run that is no variable: iterators, by what names them
        self.resources: dict[Any, Any] = {}
        self._borrowed = False  # the resources are another store's
        self.creating = threading.Lock()  # held while a resource is made
        self.closed = False
        self.patience: float | None = None  # seconds that a wait for another thread may take

    def get(self, variable: Node) -> Array | None:
        """A copy of the value, or None where it is uninitialised."""
        with self.lock:
            return self.view(variable).copy() if variable in self.arrays else None

    def view(self, variable: Node) -> Array:
        """The memory itself.

        Raises:
            FailedPreconditionError: "Attempting to use uninitialized value W".
        """
        array = self.arrays.get(variable)
        if array is None:
            raise uninitialized(variable)
        for values in self.on_device.values():
            values.pull(variable, array)
        return array

    def view_shape(self, variable: Node) -> tuple[int, ...]:
        """The value's shape, wherever it lies. Raises as `view`."""
        array = self.arrays.get(variable)
        if array is None:
            raise uninitialized(variable)
        return array.shape

    def set(self, variable: Node, value: Array) -> None:
        """Copies the value in."""
        with self.lock:
            array = self.arrays.get(variable)
            if array is None or array.shape != value.shape:
                array = self.allocate(value.shape, value.dtype)
                array[...] = value
                self.adopt(variable, array)
            else:
                array[...] = value
                self.version += 1
                self._overtake(variable)

    def adopt(self, variable: Node, array: Array) -> None:
        """Makes memory from `allocate` that already holds the value the variable's own."""
        with self.lock:
            self.arrays[variable] = array
            if variable.outputs[0].dims == array.shape:
                self.odd.discard(variable)
            else:
                self.odd.add(variable)
            self.epoch += 1
            self.version += 1
            self._overtake(variable)

    def _overtake(self, variable: Node) -> None:
        for values in self.on_device.values():
            values.overtaken(variable)

    @staticmethod
    def allocate(shape: tuple[int, ...], dtype: Any) -> Array:
        from graphc.runtime.hostmem import aligned_empty

        if np.dtype(dtype).hasobject:
            return np.empty(shape, dtype)
        return aligned_empty(shape, dtype)

    def initialized(self, variable: Node) -> bool:
        return variable in self.arrays

    def close(self) -> None:
        """Frees everything; runs of other threads that wait on a resource are cancelled."""
        with self.creating:
            self.closed = True
            ours = () if self._borrowed else tuple(self.resources.values())
        waited_on = [r for r in ours if hasattr(r, "cancel")]
        for resource in waited_on:
            resource.cancel()
        self.clear()

    def share_resources(self, outer: VariableStore) -> None:
        """Takes tables, queues and iterators from another store: that of the session for which a
        function's own executor runs."""
        self.resources = outer.resources
        self._borrowed = True

    def clear(self) -> None:
        with self.lock:
            self.arrays.clear()
            self.odd.clear()
            self.instances.clear()
            self.panels.clear()
            self.on_device.clear()
            if self._borrowed:
                self.resources = {}
            self.resources.clear()
            self.epoch += 1
            self.version += 1

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in list(self.arrays.values()))


class Moved(Exception):
    """A variable has got another shape since the plan was chosen: choose again."""


def uninitialized(variable: Node) -> FailedPreconditionError:
    err = FailedPreconditionError(f"Attempting to use uninitialized value {variable.name}")
    return located(err, variable)


class RandomStreams:
    """A session's random streams, one an op: the same seeds give the same sequence of runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, tuple[int, int]] = {}
        self._counts: dict[str, int] = {}

    def advance(self, name: str, seed: int, seed2: int) -> Array:
        """The next state of the op's stream: uint32 [key0, key1, counter_lo, counter_hi].

        Seeds both zero: the key is random for each session and op.
        """
        with self._lock:
            count = self._counts.get(name, 0)
            self._counts[name] = count + 1
            key = self._keys.get(name)
            if key is None:
                if seed == 0 and seed2 == 0:
                    bits = secrets.randbits(64)
                    key = (bits & 0xFFFFFFFF, bits >> 32)
                else:
                    key = _mix(seed, seed2)
                self._keys[name] = key
        # a run may draw 2**40 numbers before streams of successive runs meet
        counter = count << 8
        return np.array(
            [key[0], key[1], counter & 0xFFFFFFFF, (counter >> 32) & 0xFFFFFFFF], np.uint32
        )


def _mix(seed: int, seed2: int) -> tuple[int, int]:
    digest = hashlib.blake2b(f"{seed},{seed2}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


class RunContext:
    """One call of run: its session's state, and what must be the same in all its stages."""

    __slots__ = ("done", "random", "states", "store", "trace")

    def __init__(
        self, store: VariableStore, random: RandomStreams, trace: Trace | None = None
    ) -> None:
        self.store = store
        # where the steps' times go, if anywhere
        self.trace = trace
        self.random = random
        self.states: dict[str, Array] = {}
        # results of effects in this run: each happens once, in whatever stage needs it
        self.done: dict[str, tuple[Array, ...]] = {}

    def rng_state(self, name: str, attrs: Mapping[str, Any]) -> Array:
        """The op's random state in this run: drawn once, however often it is asked for."""
        state = self.states.get(name)
        if state is None:
            if not name:
                raise InternalError("a random op without a name")
            state = self.random.advance(name, attrs["seed"], attrs["seed2"])
            self.states[name] = state
        return state


class _Running(threading.local):
    context: RunContext | None = None


_RUNNING = _Running()


def running() -> RunContext:
    """The run that the effect belongs to that this thread is performing.

    Raises:
        InternalError: no effect is being performed.
    """
    if _RUNNING.context is None:
        raise InternalError("no run is in progress")
    return _RUNNING.context


def running_store() -> VariableStore | None:
    """The store of the run that this thread performs an effect for; None outside of runs."""
    return None if _RUNNING.context is None else _RUNNING.context.store


@contextlib.contextmanager
def without_lock(store: VariableStore) -> Iterator[None]:
    """Gives the store's lock away meanwhile, where this thread holds it.

    What waits for other threads is run before the lock is taken (phases.py), but for branches and
    loops that write variables too: within these, other runs may write between two steps.
    """
    lock: Any = store.lock
    if not lock._is_owned():
        yield
        return
    held = lock._release_save()
    try:
        yield
    finally:
        lock._acquire_restore(held)


@contextlib.contextmanager
def performing(context: RunContext) -> Iterator[None]:
    """Says which run this thread performs an effect for; runs may lie within runs."""
    before = _RUNNING.context
    _RUNNING.context = context
    try:
        yield
    finally:
        _RUNNING.context = before
