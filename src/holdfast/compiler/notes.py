"""What the parser notes while it reads: problems, and where in the text each place of the document is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from holdfast.compiler.codes import diagnose
from holdfast.compiler.yaml_tree import Span
from holdfast.model.diagnostics import Diagnostic, Where

MAX_PROBLEMS = 500

Places = Mapping[str, tuple[int, int]]


class At(msgspec.Struct, frozen=True):
    """A place in the document: its path of keys and the drawn thing it belongs to (see `Where`)."""

    path: str
    kind: str = "document"
    name: str = ""
    flow: str = ""

    def key(self, key: str) -> At:
        return At(f"{self.path}.{key}" if self.path else key, self.kind, self.name, self.flow)

    def index(self, index: int) -> At:
        return At(f"{self.path}[{index}]", self.kind, self.name, self.flow)

    def thing(self, kind: str, name: str) -> At:
        return At(self.path, kind, name, self.flow)

    def where(self, span: Span | None = None) -> Where:
        line, column = (span.line, span.column) if span else (0, 0)
        return Where(path=self.path, kind=self.kind, name=self.name, flow=self.flow, line=line, column=column)


class Notes:
    """Collects diagnostics, at most `MAX_PROBLEMS`, and the line and column of every path seen."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.places: dict[str, tuple[int, int]] = {}

    @property
    def is_full(self) -> bool:
        return len(self.diagnostics) > MAX_PROBLEMS

    def see(self, at: At, span: Span) -> None:
        self.places.setdefault(at.path, (span.line, span.column))

    def add(self, code: str, at: At, span: Span, message: str, hint: str = "") -> None:
        if self.is_full:
            return
        if len(self.diagnostics) == MAX_PROBLEMS:
            message, hint = f"more than {MAX_PROBLEMS} problems; the rest is not listed", "mend these first"
            code = "too-many-problems"
        self.diagnostics.append(diagnose(code, at.where(span), message, hint))


def locate(diagnostics: Iterable[Diagnostic], places: Places) -> tuple[Diagnostic, ...]:
    """The same diagnostics with line and column, from the nearest enclosing place of the text; those that have a line keep it."""
    return tuple(_located(diagnostic, places) for diagnostic in diagnostics)


def _located(diagnostic: Diagnostic, places: Places) -> Diagnostic:
    where, path = diagnostic.where, diagnostic.where.path
    while path and path not in places:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    if where.line or not path:
        return diagnostic
    line, column = places[path]
    return msgspec.structs.replace(diagnostic, where=msgspec.structs.replace(where, line=line, column=column))
