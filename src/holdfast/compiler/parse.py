"""The environment document: text to values, with every problem found in one pass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from holdfast.compiler.availability import unavailable
from holdfast.compiler.collector import collector_paused
from holdfast.compiler.edit_values import values_of
from holdfast.compiler.fields import Fields
from holdfast.compiler.fixes import with_fixes
from holdfast.compiler.notes import At, Notes, locate
from holdfast.compiler.parse_flows import parse_flows
from holdfast.compiler.parse_places import parse_groups, parse_nodes, parse_repositories, parse_schedules
from holdfast.compiler.parse_policies import parse_policies
from holdfast.compiler.yaml_tree import Tree, load_tree
from holdfast.model.diagnostics import Diagnostic, has_errors
from holdfast.model.document import Document

_SECTIONS = ("environment", "nodes", "groups", "repositories", "schedules", "policies", "flows")
_ENVIRONMENT = re.compile(r"[^\x00-\x1f\x7f]{1,63}")


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """`document` is None when the text cannot be taken. Errors `not-in-this-version` come with a document: it may be stored as a
    draft, it cannot be activated. `places` maps paths of keys to line and column, for `notes.locate` on the compiler's findings.
    """

    document: Document | None
    diagnostics: tuple[Diagnostic, ...] = ()
    places: Mapping[str, tuple[int, int]] = {}


# The newest draft and what is in force are read again and again; of a large fleet that takes most of a second each time.
@lru_cache(maxsize=4)
def parse_document(text: str) -> Parsed:
    """Never raises. An empty text is an empty environment."""
    with collector_paused():
        return _parse(text)


def _parse(text: str) -> Parsed:
    loaded = load_tree(text)
    if loaded.diagnostics:
        return Parsed(document=None, diagnostics=loaded.diagnostics)
    notes = Notes()
    root = Fields(notes, At(""), loaded.root, _SECTIONS)
    document = Document(
        environment=_environment(root),
        nodes=parse_nodes(root),
        groups=parse_groups(root),
        repositories=parse_repositories(root),
        schedules=parse_schedules(root),
        policies=parse_policies(root),
        flows=parse_flows(root),
    )
    if has_errors(notes.diagnostics):
        return Parsed(document=None, diagnostics=_mended(notes.diagnostics, loaded.root), places=notes.places)
    return Parsed(document=document, diagnostics=_mended(locate(unavailable(document), notes.places), loaded.root), places=notes.places)


def _mended(diagnostics: Iterable[Diagnostic], root: Tree | None) -> tuple[Diagnostic, ...]:
    """In the order of the text, with fixes."""
    found = sorted(diagnostics, key=lambda diagnostic: (diagnostic.where.line, diagnostic.where.column))
    return with_fixes(found, values_of(root)) if found else ()


def _environment(root: Fields) -> str:
    name = root.text("environment")
    if name and not _ENVIRONMENT.fullmatch(name):
        root.bad("bad-value", "environment", "this cannot be the name of an environment", "at most 63 characters on one line")
        return ""
    return name
