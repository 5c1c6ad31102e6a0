"""The documentation tells the truth: links, code, commands and generated pages."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command

from recurro.cli.main import build

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
WRITTEN = [page for page in PAGES if "docs/api" not in page.as_posix()]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def text_of(page: Path) -> str:
    """A page without its blocks of code, in which a # is no heading."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The names that a link may point to within a page."""
    headings = HEADING.findall(text_of(page))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def blocks(page: Path, language: str) -> list[str]:
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [code for name, code in found if name == language]


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(CODE.sub("", text_of(page))):
        if target.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


def commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """All commands and groups with their words."""
    yield path, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from commands(f"{path} {word}", inner)


COMMANDS = dict(commands("recurro", get_command(build())))


def test_each_command_has_help_and_a_place_in_the_docs() -> None:
    page = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
    for path, command in COMMANDS.items():
        assert command.help, f"{path} has no help"
        for parameter in command.params:
            assert parameter.help, f"{path}: {parameter.name} has no help"
        if not hasattr(command, "commands"):
            assert f"\n## {path}\n" in page, f"{path} is missing from docs/cli.md"


def command_lines(page: Path) -> list[list[str]]:
    """The words of each line of shell in a page that calls recurro or a script."""
    lines = "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    split = (shlex.split(line, comments=True) for line in lines)
    return [words for words in split if words]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_commands_in_the_docs_exist(page: Path) -> None:
    for words in command_lines(page):
        if words[0].startswith("scripts/"):
            assert (REPOSITORY / words[0]).exists(), words
        if words[0] != "recurro":
            continue
        path, rest = "recurro", words[1:]
        while rest and f"{path} {rest[0]}" in COMMANDS:
            path, rest = f"{path} {rest[0]}", rest[1:]
        command = COMMANDS[path]
        assert not hasattr(command, "commands"), f"no such command: {words}"
        known = {"--help", "-h", *(o for p in command.params for o in p.opts)}
        known |= {o for p in command.params for o in p.secondary_opts}
        options = {word.split("=")[0] for word in rest if word.startswith("-")}
        assert options <= known, f"{path} does not know {options - known}"


@pytest.mark.parametrize(
    "page", [page for page in WRITTEN if blocks(page, "python")], ids=name_of
)
def test_python_in_the_docs_runs(
    page: Path, tiny_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(tiny_text, encoding="utf-8")
    shutil.copy(REPOSITORY / "examples" / "names.txt", "names.txt")
    module = ModuleType("docs_page")  # dataclasses look for the module they are in
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for code in blocks(page, "python"):
        exec(compile(code, name_of(page), "exec"), vars(module))


def test_generated_pages_are_up_to_date() -> None:
    script = REPOSITORY / "scripts" / "docs"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_task_is_added_in_under_60_lines() -> None:
    task, _ = blocks(REPOSITORY / "docs" / "how-to" / "add-a-task.md", "python")
    assert "class AngleModel(SequenceEstimator)" in task  # run as all pages are
    assert len(task.splitlines()) < 60
