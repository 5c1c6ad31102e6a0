"""The order of the rooms, read from every import; and the size of what is written.

Imports point down only: a room imports rooms of earlier rows, never of its own row or
of a later one. Type-only, delayed and dynamic imports count like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "recurro"

ROWS = [
    ["errors", "types"],
    ["cells"],
    ["engine"],
    ["nn"],
    ["data", "baselines", "reservoir", "generate"],
    ["train"],
    ["tasks"],
    ["control", "analysis", "explain", "export"],
    ["report", "bench"],
    ["serve"],
    ["cli"],
    ["__main__"],
]
ROW = {room: row for row, rooms in enumerate(ROWS) for room in rooms}

MODULES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Each imported module or ``module.name`` with its line, also inside functions.

    Args:
        tree: The parsed file.
        package: The package that a relative import starts from.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            if called in {"import_module", "__import__"} and node.args:
                argument = node.args[0]
                if isinstance(argument, ast.Constant):
                    yield node.lineno, str(argument.value)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "recurro":
            yield node.lineno, f"recurro.{node.attr}"


def complaint(module: str, target: str) -> str | None:
    """What is wrong with this import, if anything."""
    room = module.split(".")[1]
    if target in {"recurro", "recurro.__version__"}:
        return None
    root, _, rest = target.partition(".")
    if root != "recurro":
        return None
    other = rest.split(".")[0]
    if other not in ROW:
        return "names the room it imports from: write from recurro.<room> import"
    if other == room or ROW[other] < ROW[room]:
        return None
    return "must import earlier rows only"


def package_of(module: str) -> str:
    is_package = MODULES[module].name == "__init__.py"
    return module if is_package else module.rpartition(".")[0]


def read(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def test_every_room_is_known() -> None:
    rooms = {module.split(".")[1] for module in MODULES if module != "recurro"}
    assert rooms <= ROW.keys(), f"rooms without a row: {rooms - ROW.keys()}"


def test_imports_point_down() -> None:
    wrong = [
        f"{MODULES[module].relative_to(REPOSITORY)}:{line}: {target}: {what}"
        for module in MODULES
        if module != "recurro"  # its names are loaded on demand, from a table
        for line, target in imports(read(module), package_of(module))
        if (what := complaint(module, target))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_circle_among_modules() -> None:
    graph = {
        module: {
            name
            for _, target in imports(read(module), package_of(module))
            if (name := target if target in MODULES else target.rpartition(".")[0])
            in MODULES
        }
        for module in MODULES
        if module != "recurro"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " <- ".join(error.args[1]))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("recurro.cells.lstm", "import recurro.nn"),
        ("recurro.cells.lstm", "import recurro\nlayer = recurro.nn.LSTM"),
        ("recurro.cells.lstm", "def f():\n    from recurro.train.loop import fit"),
        ("recurro.data.text", "from recurro.baselines import ngram"),
        ("recurro.data.text", "from ..generate.sample import sample"),
        ("recurro.errors", "from recurro import types"),
        (
            "recurro.nn.layers",
            "import importlib\nimportlib.import_module('recurro.cli')",
        ),
        ("recurro.nn.layers", "if TYPE_CHECKING:\n    from recurro.tasks import x"),
        ("recurro.tasks.metrics", "from recurro import LSTM"),
        ("recurro.tasks.metrics", "from recurro.mystery import x"),
    ],
)
def test_a_wrong_import_is_seen(module: str, source: str) -> None:
    found = imports(ast.parse(source), module.rpartition(".")[0])
    assert any(complaint(module, target) for _, target in found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("recurro.cli.main", "from recurro.tasks.language_model import LanguageModel"),
        ("recurro.data.text", "from recurro.errors import DataError\nimport torch"),
        ("recurro.data.text", "from .tokens import Tokenizer\nfrom . import split"),
        ("recurro.train.folder", "from recurro import __version__"),
        ("recurro.train.folder", "import recurro\nprint(recurro.__version__)"),
    ],
)
def test_a_right_import_passes(module: str, source: str) -> None:
    found = imports(ast.parse(source), module.rpartition(".")[0])
    assert not any(complaint(module, target) for _, target in found)


SOURCES = sorted(
    path
    for folder in ("recurro", "tests", "examples", "scripts")
    for path in (REPOSITORY / folder).rglob("*.py")
)


def test_files_and_functions_are_short() -> None:
    long = []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if (count := len(text.splitlines())) > 700:
            long.append(f"{path}: {count} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                size = node.end_lineno - body[0].lineno + 1 if body else 0
                if size > 60:
                    long.append(f"{path}:{node.lineno}: {node.name}: {size} lines")
    assert not long, "\n".join(long)
