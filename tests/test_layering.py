"""The order of the layers, by the imports of every module; sizes and docstrings of files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphc

ROOT = Path(graphc.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MAX_LINES = 500

# lowest first; a module imports only layers in front of its own, and its own
LAYERS = (
    ("errors", "_lazy", "_unsupported"),
    ("config",),
    ("ir",),
    ("kernel",),
    ("ops", "render"),
    ("autodiff",),
    ("passes",),
    ("fusion",),
    ("runtime",),
    ("feeds", "fetches", "protos", "handles"),
    ("session",),
    ("tf1", "inspect", "interop", "keras", "models", "distribute"),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
TOP = len(LAYERS)  # everything else: the public namespaces
# neighbours that do not see each other
FORBIDDEN = {
    "render": ("ops",),
    "ops": ("render",),
}
# whole programs over the public names
PROGRAMS = ("graphc.inspect.cli",)


def layer_of(module: str) -> str:
    """ "ir" for "graphc.ir.node", "" for "graphc" itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def rank_of(module: str) -> int:
    return RANK.get(layer_of(module), TOP)


def module_name(path: Path) -> str:
    parts = ("graphc", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, package: str) -> Iterator[tuple[str, int, bool]]:
    """(module, line, whether at module level), without those for type checkers only."""
    stack: list[tuple[ast.AST, bool]] = [(tree, True)]
    while stack:
        node, outside = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            stack.extend((n, outside) for n in node.orelse)
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, outside
        elif isinstance(node, ast.ImportFrom):
            base = "" if not node.level else package.rsplit(".", node.level - 1)[0]
            module = ".".join(p for p in (base, node.module or "") if p)
            if module in (
                "graphc",
                "graphc.ops",
                "graphc.runtime",
                "graphc.render",
                "graphc.kernel",
            ):
                for alias in node.names:
                    yield f"{module}.{alias.name}", node.lineno, outside
            else:
                yield module, node.lineno, outside
        inner = outside and not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        )
        stack.extend((n, inner) for n in ast.iter_child_nodes(node))


def all_imports(outside: bool) -> Iterator[tuple[str, str, int]]:
    for path in FILES:
        name = module_name(path)
        package = name if path.name == "__init__.py" else name.rsplit(".", 1)[0]
        for module, line, top in imports(ast.parse(path.read_text()), package):
            if module.split(".")[0] == "graphc" and top == outside:
                yield name, module, line


def test_every_package_has_a_layer() -> None:
    packages = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    public = {"compat", "contrib", "data", "estimator", "examples", "saved_model"}
    assert packages <= set(RANK) | public, packages - set(RANK)


def test_modules_import_only_layers_below() -> None:
    wrong = [
        f"{name}:{line} imports {module}"
        for name, module, line in all_imports(outside=True)
        if (rank_of(module) > rank_of(name) and name not in PROGRAMS)
        or layer_of(module) in FORBIDDEN.get(layer_of(name), ())
    ]
    assert not wrong, "\n".join(wrong)


# upward imports inside functions: they break a circle, or keep `import graphc` fast
UPWARD = {
    ("ops", "interop"): "serialized tensors and examples are messages",
    ("ops", "runtime"): "queues and readers are kept by the session that runs",
    ("ops", "autodiff"): "the gradient of gather is an IndexedSlices",
    ("ops", "tf1"): "some operators of Tensor are functions of the user's surface",
    ("runtime", "inspect"): "Config(dump=...) writes what a plan's build observed",
    ("session", "tf1"): "a traced run fills a message that users read",
    ("keras", "estimator"): "a compiled model is wrapped in an Estimator",
    ("tf1", "nn"): "layers call ops by the names under which users know them",
}


def test_upward_imports_inside_functions_are_known() -> None:
    found: dict[tuple[str, str], list[str]] = {}
    for name, module, line in all_imports(outside=False):
        if rank_of(module) > rank_of(name):
            found.setdefault((layer_of(name), layer_of(module)), []).append(f"{name}:{line}")
    unknown = {pair: places for pair, places in found.items() if pair not in UPWARD}
    assert not unknown, unknown
    assert set(UPWARD) <= set(found), "an exception that nothing needs any more"


def test_heavy_packages_are_imported_inside_functions() -> None:
    """`import graphc` stays fast, and optional packages stay optional."""
    heavy = (
        "numba", "llvmlite", "networkx", "scipy", "ml_dtypes", "sklearn", "matplotlib", "PIL",
    )  # fmt: skip
    wrong = []
    for path in FILES:
        for module, line, top in imports(ast.parse(path.read_text()), module_name(path)):
            if top and module.split(".")[0] in heavy:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    allowed = (
        "render/numba_support.py",
        "render/numba_lowering.py",
        "interop/",
        "render/numba_cuda",
    )
    assert not [w for w in wrong if not w.startswith(allowed)], "\n".join(wrong)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_say_what_they_hold(path: Path) -> None:
    text = path.read_text()
    lines = text.splitlines()
    assert len(lines) <= MAX_LINES, f"{len(lines)} lines"
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "no module docstring"
