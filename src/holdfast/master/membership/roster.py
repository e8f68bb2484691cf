"""Entering a machine that joined into the document, so that it can be drawn."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from holdfast.compiler.edit import add_entry
from holdfast.compiler.parse import parse_document
from holdfast.core.errors import InvalidDocument
from holdfast.master.documents.environment import SYSTEM, newest_revision
from holdfast.master.records import documents
from holdfast.model.document import Document, Revision


def enter(session: Session, name: str, at: datetime) -> None:
    """A revision with `NAME: {}` under `nodes`, if the document does not have the node yet. Everything else stays as it was written.

    A document that cannot be read, or would not take the entry, is left alone: joining must not fail because of it.
    """
    newest = newest_revision(session)
    document = parse_document(newest.text).document
    if document is None or _names(document, name):
        return
    try:
        text = add_entry(newest.text, "nodes", name, "{}")
    except InvalidDocument:
        return
    if parse_document(text).document is None:
        return
    revision = Revision(number=newest.number + 1, text=text, created_at=at, author=SYSTEM, comment=f"node {name} joined")
    documents.add_revision(session, revision)


def _names(document: Document, name: str) -> bool:
    return any(name in (node.name, node.was) for node in document.nodes)
