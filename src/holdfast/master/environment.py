"""The environment document: revisions of one text. Applying changes the draft only; nothing reaches a node before a flow is activated."""

from __future__ import annotations

import asyncio

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.diff import Change, diff_documents
from holdfast.compiler.parse import Parsed, parse_document
from holdfast.core.errors import Conflict, InvalidDocument, Refused, UsageError
from holdfast.master.foundation import Foundation
from holdfast.master.records import documents, inventory
from holdfast.model.diagnostics import Diagnostic, Level
from holdfast.model.document import Document, Revision
