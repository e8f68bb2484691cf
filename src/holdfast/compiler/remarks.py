"""Which remarks of a compilation are to be told to whoever activates one flow among many: those on it, and those that come with it."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.compiler.compile import Compilation
from holdfast.model.diagnostics import Diagnostic, Level

_SECTIONS = ("flows", "nodes", "groups", "repositories", "schedules", "policies")
_ENDS = (".", "[")


def on_others(compilation: Compilation, taken: Iterable[str]) -> tuple[Diagnostic, ...]:
    """Remarks on what no flow of `taken` names. Errors are nobody's: with one nothing is activated."""
    names = frozenset(taken)
    documents = [frozen.document for frozen in compilation.active.flows if frozen.name in names]
    named = frozenset(f"{section}.{entry.name}" for document in documents for section in _SECTIONS for entry in getattr(document, section))
    return tuple(told for told in compilation.diagnostics if told.level is not Level.ERROR and not _is_on(told, names, named))


def repeated(candidates: Iterable[Diagnostic], before: Iterable[Diagnostic]) -> frozenset[Diagnostic]:
    """Those of them that are among `before`, what is said of what is in force now."""
    known = {(told.code, told.message, told.where) for told in before}
    return frozenset(told for told in candidates if (told.code, told.message, told.where) in known)


def _is_on(told: Diagnostic, flows: frozenset[str], named: frozenset[str]) -> bool:
    if told.where.flow:
        return told.where.flow in flows
    section = told.where.path.partition(".")[0]
    if section not in _SECTIONS:
        return True
    # A name may have a dot in it.
    return any(told.where.path == place or told.where.path.startswith(tuple(place + end for end in _ENDS)) for place in named)
