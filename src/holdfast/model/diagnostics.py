"""Findings of the parser and the compiler."""

from __future__ import annotations

from enum import Enum

import msgspec

from holdfast.model.edit import Edit


class Level(str, Enum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Where(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The place: a path of keys in the document (`flows.office.movers[0].limit`), the drawn thing it belongs to, and its line.

    `kind` is one of flow, vertex, mover, policy, operation, node, repository, group, schedule, document; `name` is its name there
    (a mover is `from->to`). `line` and `column` count from 1; 0 = not from text.
    """

    path: str
    kind: str = "document"
    name: str = ""
    flow: str = ""
    line: int = 0
    column: int = 0


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """One way to mend what a diagnostic says: these edits, in turn, on the text it was found in. `title` is what a button says."""

    title: str
    edits: tuple[Edit, ...]


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`code` is stable and documented in docs/diagnostics.md, with a sample under samples/invalid/."""

    code: str
    level: Level
    message: str
    where: Where
    hint: str = ""
    fixes: tuple[Fix, ...] = ()


def has_errors(diagnostics: tuple[Diagnostic, ...] | list[Diagnostic]) -> bool:
    return any(d.level is Level.ERROR for d in diagnostics)
