"""The environment document: revisions of one text. Applying changes the draft only; nothing reaches a node before a flow is activated."""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.diff import DocumentChange, diff_documents
from holdfast.compiler.edit_text import scalar_text
from holdfast.compiler.parse import Parsed, parse_document
from holdfast.core.errors import Conflict, InvalidDocument, Refused, UnknownName
from holdfast.master.foundation import Foundation
from holdfast.master.news import Subject
from holdfast.master.records import documents
from holdfast.model.diagnostics import Diagnostic, Level
from holdfast.model.document import Document, Revision

SYSTEM = "system"
_FIRST = """\
# The environment: which machines there are, which data they protect, and along which ways it goes.
# `holdfast plan FILE` shows what a change would do, `holdfast apply FILE` takes it, `holdfast activate FLOW` puts it into force.
environment: {name}
"""


class EnvironmentView(msgspec.Struct, frozen=True, kw_only=True):
    """A revision of the document, without its text."""

    revision: int
    author: str
    comment: str
    created_at: datetime

    @staticmethod
    def of(revision: Revision) -> EnvironmentView:
        return EnvironmentView(revision=revision.number, author=revision.author, comment=revision.comment, created_at=revision.created_at)


class ApplyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`base_revision`: the revision that was edited; None = whatever is newest now."""

    text: str
    author: str
    base_revision: int | None = None
    accept_removals: bool = False
    comment: str = ""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The draft as it is now. A text equal to the newest makes no new revision."""

    revision: int
    diagnostics: tuple[Diagnostic, ...]
    changes: tuple[DocumentChange, ...]


class Environments:
    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def newest(self) -> Revision:
        """The draft, its text byte for byte as it was applied."""
        return await self._base.database.run(newest_revision)

    async def revision(self, number: int) -> Revision:
        """Raises `UnknownName`."""
        return await self._base.database.run(lambda s: documents.revision(s, number))

    async def revisions(self, limit: int, before: int | None) -> tuple[EnvironmentView, ...]:
        """Newest first; those with lower numbers than `before`."""
        return await self._base.database.run(lambda s: tuple(map(EnvironmentView.of, documents.revisions(s, limit=limit, before=before))))

    async def apply(self, request: ApplyRequest) -> Applied:
        """Make this text the draft. Raises `InvalidDocument`, `Conflict` when somebody applied another since `base_revision`, `Refused`
        when it removes parts and that was not accepted. Stored data is never touched."""
        parsed = await asyncio.to_thread(parse_document, request.text)
        if parsed.document is None:
            raise _invalid(parsed)
        new = parsed.document
        applied = await self._base.database.run(lambda s: self._store(s, request, new, parsed.diagnostics))
        self._base.news.tell(Subject("environment"))
        return applied

    def _store(self, session: Session, request: ApplyRequest, new: Document, diagnostics: tuple[Diagnostic, ...]) -> Applied:
        newest = newest_revision(session)
        if request.base_revision not in (None, newest.number):
            raise Conflict(
                f"the document is at revision {newest.number} by now; this was made from {request.base_revision}",
                hint="look at the newest with `holdfast export` and change that, or join both with `holdfast apply FILE --base N --merge`",
                base_revision=str(request.base_revision),
                newest_revision=str(newest.number),
                author=newest.author,
            )
        if request.text == newest.text:
            return Applied(revision=newest.number, diagnostics=diagnostics, changes=())
        changes = diff_documents(_document(newest.text), new)
        _check_removals(changes, request.accept_removals)
        revision = Revision(
            number=newest.number + 1,
            text=request.text,
            created_at=self._base.now(),
            author=request.author,
            comment=request.comment,
        )
        documents.add_revision(session, revision)
        return Applied(revision=revision.number, diagnostics=diagnostics, changes=changes)


def first_revision(name: str, at: datetime) -> Revision:
    """What a fresh Master begins with."""
    text = _FIRST.format(name=scalar_text(name))
    return Revision(number=1, text=text, created_at=at, author=SYSTEM, comment="the Master was made")


def newest_revision(session: Session) -> Revision:
    """Raises `UnknownName` when there is none, which a Master made by `init_master` does not know."""
    newest = documents.newest_revision(session)
    if newest is None:
        raise UnknownName("there is no environment document", hint="run `holdfast master init` again")
    return newest


def changes_since(revision: Revision, document: Document | None) -> tuple[DocumentChange, ...]:
    """What the document would change of that revision; nothing when it is none."""
    return () if document is None else diff_documents(_document(revision.text), document)


def readable_document(text: str) -> Document:
    """Raises `InvalidDocument`."""
    document = parse_document(text).document
    if document is None:
        raise InvalidDocument("the document cannot be read", hint="mend it with `holdfast export` and `holdfast apply`")
    return document


def _document(text: str) -> Document:
    """Of a stored text. One that this version cannot read any more counts as empty: everything in its successor is new."""
    return parse_document(text).document or Document(environment="")


def _check_removals(changes: tuple[DocumentChange, ...], accepted: bool) -> None:
    removed = [f"{change.what} {change.name}" for change in changes if change.is_removal]
    if removed and not accepted:
        raise Refused(
            f"this removes {', '.join(removed)}",
            hint="agree with --yes; stored data is not destroyed by it",
            removals=", ".join(removed),
        )


def _invalid(parsed: Parsed) -> InvalidDocument:
    errors = [diagnostic for diagnostic in parsed.diagnostics if diagnostic.level is Level.ERROR]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return InvalidDocument(
        f"line {first.where.line}: {first.message}{more}",
        hint=first.hint or "`holdfast plan FILE` shows every problem with its place",
        path=first.where.path,
        line=str(first.where.line),
    )
