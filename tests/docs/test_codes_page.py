"""Every code that a person or a script can meet has a line in docs/codes.md, and the page has no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from holdfast.repository.diagnosis import CODES

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "codes.md"
# Their first or second argument is a code, where it is written out.
MAKERS = {
    "ErrorFacts",
    "Finding",
    "of_error",
    "DatabaseNotCopied",
    "_error",
    "_problem",
    "_finding",
    "_event",
    "record_event",
    "Event",
    "Step",
}


def codes_in(source: Path) -> Iterator[str]:
    text = source.read_text()
    yield from re.findall(r'^    code = "([a-z-]+)"$', text, re.M)
    yield from re.findall(r'^    code: ClassVar\[str\] = "([a-z-]+)"$', text, re.M)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield from _assigned(node.targets[0].id, node.value)
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name not in MAKERS:
            continue
        first = [] if name == "Step" else node.args[:1]
        given = [*first, *(keyword.value for keyword in node.keywords if keyword.arg in ("code", "reason"))]
        either = [part for each in given for part in ((each.body, each.orelse) if isinstance(each, ast.IfExp) else (each,))]
        for value in either:
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and re.fullmatch(r"[a-z]+(-[a-z]+)*", value.value):
                yield value.value


def _assigned(name: str, value: ast.expr) -> Iterator[str]:
    """A code that is chosen before it is used, and those of the rows that steps are made of."""
    if name == "code" and isinstance(value, ast.IfExp):
        either = [value.body, value.orelse]
    elif name == "rows" and isinstance(value, ast.Tuple):
        either = [row.elts[0] for row in value.elts if isinstance(row, ast.Tuple)]
    else:
        return
    yield from (each.value for each in either if isinstance(each, ast.Constant) and isinstance(each.value, str))


def raised() -> set[str]:
    """The tree of errors, and all that is written out elsewhere but in the compiler, whose codes have a page of their own."""
    sources = [path for path in (ROOT / "src/holdfast").rglob("*.py") if not {"testing", "compiler"} & set(path.parts)]
    return set().union(CODES, *(codes_in(path) for path in sources))


def test_every_code_has_a_line_and_every_line_a_code() -> None:
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    listed = {code for row in rows for code in re.findall(r"`([a-z-]+)`", row)}
    assert sorted(raised() - listed) == []
    assert sorted(listed - raised()) == []
