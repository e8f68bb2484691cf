"""The document for a canvas: read as values, edited by operations on a revision. What is stored is text all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from holdfast.compiler.diff import DocumentChange
from holdfast.compiler.edits import apply_edits, document_values
from holdfast.compiler.merge import MergeConflict, Side, merge_texts
from holdfast.compiler.parse import parse_document
from holdfast.core.errors import Conflict, UsageError
from holdfast.master.documents.environment import ApplyRequest, Environments, changes_since
from holdfast.model.diagnostics import Diagnostic
from holdfast.model.document import Document, Revision
from holdfast.model.edit import Edit


class ReadDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`values` as they are written; `document` as they are understood, None when they are not. `places`: path of keys -> line, column."""

    revision: int
    values: dict[str, object]
    document: Document | None
    places: Mapping[str, tuple[int, int]]
    diagnostics: tuple[Diagnostic, ...]


class EditRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`dry_run`: show what would come of it, store nothing; this works on an older revision too. `text`: what a person has not stored
    yet; the edits are done on it in place of the revision's own, and only with `dry_run`. Without edits it is only read."""

    base_revision: int
    edits: tuple[Edit, ...]
    author: str
    comment: str = ""
    dry_run: bool = False
    text: str | None = None


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    """`revision` is the new one; with `dry_run`, or when nothing changed, the one that was edited. `valid`: the text can be applied.
    `changes` of a dry run are against the newest revision. `values`, `document` and `places` as in `ReadDocument`."""

    revision: int
    newest_revision: int
    text: str
    values: dict[str, object]
    document: Document | None
    places: Mapping[str, tuple[int, int]]
    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    changes: tuple[DocumentChange, ...]


class MergedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A working copy and the newest revision as one `text`, stored nowhere yet. `clean`: no conflicts; at these the text has what the
    preferred side wrote. `mine` and `theirs`: what each changed since the revision both come from. `valid`: the text can be applied."""

    newest_revision: int
    text: str
    clean: bool
    conflicts: tuple[MergeConflict, ...]
    mine: tuple[DocumentChange, ...]
    theirs: tuple[DocumentChange, ...]
    valid: bool
    diagnostics: tuple[Diagnostic, ...]


class EnvironmentEdits:
    def __init__(self, environment: Environments) -> None:
        self._environment = environment

    async def read(self, number: int | None = None) -> ReadDocument:
        """The newest, or that revision. Raises `UnknownName`."""
        found = await (self._environment.newest() if number is None else self._environment.revision(number))
        return await asyncio.to_thread(_read, found)

    async def edit(self, request: EditRequest) -> Edited:
        """Removing by name is agreed to by naming it: stored data is never touched. Raises `UsageError` for an edit that cannot be done,
        and as `Environments.apply`: `Conflict` when somebody was faster, `InvalidDocument` for what would come of it. A dry run without
        edits raises neither: a text that is none is not valid, and has no values."""
        if request.text is not None and not request.dry_run:
            raise UsageError("`text` goes with `dry_run` only", hint="store a text of your own with PUT /environment")
        newest = await self._environment.newest()
        if request.base_revision != newest.number and not request.dry_run:
            raise Conflict(
                f"the document is at revision {newest.number} by now; this was made from {request.base_revision}",
                hint="look at what changed, and make the edit on the newest revision",
                base_revision=str(request.base_revision),
                newest_revision=str(newest.number),
                author=newest.author,
            )
        base = newest if request.base_revision == newest.number else await self._environment.revision(request.base_revision)
        text = base.text if request.text is None else request.text
        if request.edits:
            text = await asyncio.to_thread(apply_edits, text, request.edits)
        if not request.dry_run:
            applied = await self._environment.apply(
                ApplyRequest(text=text, author=request.author, base_revision=base.number, accept_removals=True, comment=request.comment)
            )
            base = newest = msgspec.structs.replace(base, number=applied.revision)
            return await asyncio.to_thread(_edited, text, base, newest, applied.changes)
        return await asyncio.to_thread(_edited, text, base, newest, None)

    async def merge(self, base_revision: int, text: str, prefer: Side) -> MergedDocument:
        """`text` was made from `base_revision`, and others have been applied since. Changes nothing. Raises `UnknownName` for the revision,
        `InvalidDocument` when a text is no YAML mapping and something must be merged."""
        newest = await self._environment.newest()
        base = newest if base_revision == newest.number else await self._environment.revision(base_revision)
        return await asyncio.to_thread(_merged, base, newest, text, prefer)


def _read(revision: Revision) -> ReadDocument:
    parsed = parse_document(revision.text)
    return ReadDocument(
        revision=revision.number,
        values=document_values(revision.text),
        document=parsed.document,
        places=parsed.places,
        diagnostics=parsed.diagnostics,
    )


def _edited(text: str, base: Revision, newest: Revision, changes: tuple[DocumentChange, ...] | None) -> Edited:
    """`changes` None = what stands between the newest revision and the text."""
    parsed = parse_document(text)
    return Edited(
        revision=base.number,
        newest_revision=newest.number,
        text=text,
        values=document_values(text),
        document=parsed.document,
        places=parsed.places,
        valid=parsed.document is not None,
        diagnostics=parsed.diagnostics,
        changes=changes_since(newest, parsed.document) if changes is None else changes,
    )


def _merged(base: Revision, newest: Revision, text: str, prefer: Side) -> MergedDocument:
    merged = merge_texts(base.text, text, newest.text, prefer)
    parsed = parse_document(merged.text)
    return MergedDocument(
        newest_revision=newest.number,
        text=merged.text,
        clean=not merged.conflicts,
        conflicts=merged.conflicts,
        mine=changes_since(base, parse_document(text).document),
        theirs=changes_since(base, parse_document(newest.text).document),
        valid=parsed.document is not None,
        diagnostics=parsed.diagnostics,
    )
