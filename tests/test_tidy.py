"""The limits of the house style, held by a test: sizes, names, docstrings, and what must not stand in the repository."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
CONSOLE = sorted(path for path in (ROOT / "console/src").rglob("*.ts*") if path.name != "schema.d.ts")
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
# A command's parameters are its options; typer reads them from the signature.
MANY_PARAMETERS_ALLOWED = ROOT / "src/holdfast/cli/commands"


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_source_file_is_within_limits(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400, "a file that outgrows 400 lines becomes a package"
    assert path.stem not in BANNED_NAMES
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "every module says what it is for"
    for function in _functions(path):
        lines = (function.end_lineno or 0) - function.lineno + 1
        assert lines <= 60, f"{function.name} has {lines} lines"
        arguments = function.args
        count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
        count -= bool(arguments.args and arguments.args[0].arg in ("self", "cls"))
        assert count <= 6 or path.is_relative_to(MANY_PARAMETERS_ALLOWED), f"{function.name} has {count} parameters"


@pytest.mark.parametrize("path", TESTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_test_file_is_within_limits(path: Path) -> None:
    assert path.read_text().count("\n") <= 600
    assert not re.search(r"^\s*time\.sleep\(", path.read_text(), re.M) or path.name.startswith("waiting"), "tests do not sleep"


@pytest.mark.parametrize("path", CONSOLE, ids=lambda p: str(p.relative_to(ROOT)))
def test_console_file_is_within_limits(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 250
    assert path.stem not in BANNED_NAMES
    assert "dangerouslySetInnerHTML" not in text, "names are never markup"


def test_repository_holds_source_only() -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    built = [n for n in names if re.search(r"\.(pyc|so|o|whl|zip|tar|gz|deb)$|(^|/)(node_modules|dist|build|static)/", n)]
    assert built == []
