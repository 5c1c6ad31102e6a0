"""The public names of the package, and what importing it may cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import recurro

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", recurro.__all__)
def test_public_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(recurro, name)
    assert isinstance(value.__doc__, str)
    # A dataclass without a docstring gets its signature as one.
    assert not value.__doc__.startswith(f"{name}("), f"{name} has no docstring"


def test_public_names_are_sorted_and_the_table_too() -> None:
    assert list(recurro.__all__) == sorted(recurro.__all__)
    assert list(recurro._HOME) == sorted(recurro._HOME)


def test_public_name_lives_where_the_table_says() -> None:
    for name, module in recurro._HOME.items():
        path = REPOSITORY.joinpath(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined = {
            getattr(node, "name", getattr(node, "asname", None))
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.alias)
        }
        assert name in defined, f"{module} does not define {name}"


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(recurro.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.asname: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        for alias in node.names
    }
    assert seen == recurro._HOME


def test_rooms_are_attributes() -> None:
    assert recurro.errors.DataError.__mro__[1] is recurro.RecurroError


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'LTSM'"):
        _ = recurro.LTSM


def test_dir_lists_the_public_names() -> None:
    assert set(recurro.__all__) <= set(dir(recurro))


def test_import_brings_in_neither_torch_nor_numpy() -> None:
    code = "import sys, recurro; print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert "'recurro'" in loaded
    for heavy in ("torch", "numpy", "scipy", "sklearn", "typer", "pydantic"):
        assert f"'{heavy}'" not in loaded


def test_version_is_the_newest_of_the_changelog() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == recurro.__version__


def test_every_requirement_is_pinned() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = {
        re.split(r"[\[>=<]", requirement)[0].lower()
        for requirements in [project["dependencies"], *extras]
        for requirement in requirements
    }
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower() for line in lines if "==" in line}
    assert wanted <= pinned, f"not pinned: {wanted - pinned}"
    assert "torch==2.13.0" in lines
