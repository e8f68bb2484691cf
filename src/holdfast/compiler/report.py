"""Where the passes put what they find."""

from __future__ import annotations

from holdfast.compiler.codes import diagnose
from holdfast.model.diagnostics import Diagnostic, Where

_SHOWN = 5


class Report:
    """Collects diagnostics in the order they are found, each (code, place, message) once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], Diagnostic] = {}

    def add(self, code: str, where: Where, message: str, hint: str = "") -> None:
        self._found.setdefault((code, where.path, message), diagnose(code, where, message, hint))

    def take(self, diagnostics: list[Diagnostic]) -> None:
        for diagnostic in diagnostics:
            self._found.setdefault((diagnostic.code, diagnostic.where.path, diagnostic.message), diagnostic)

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return tuple(self._found.values())


def some(names: list[str] | tuple[str, ...]) -> str:
    """`a, b, c and 12 more`."""
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
