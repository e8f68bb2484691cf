"""One part of the document on its own: what a form of the console holds before it is in the document."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from holdfast.compiler.edit_text import line_text
from holdfast.compiler.edit_values import Value, check_value
from holdfast.compiler.parse import parse_document
from holdfast.compiler.yaml_tree import MAX_TEXT_BYTES
from holdfast.core.errors import UsageError
from holdfast.model.diagnostics import Diagnostic
from holdfast.model.document import Classification

_NAME = "sample"


class ParsedClassification(msgspec.Struct, frozen=True, kw_only=True):
    """`classification` is None when the values cannot be taken. The places of diagnostics begin at `classification`."""

    classification: Classification | None
    diagnostics: tuple[Diagnostic, ...] = ()


def parse_classification(values: Mapping[str, Value]) -> ParsedClassification:
    """Values as they would stand in the document. Raises `UsageError` for what no document can hold."""
    check_value(dict(values))
    text = f"policies: {{{_NAME}: {{classification: {line_text(dict(values))}, operations: {{backup: {{keep: {{last: 1}}}}}}}}}}\n"
    if len(text) > MAX_TEXT_BYTES:
        raise UsageError("the classification is too large", hint="use patterns instead of lists of paths")
    parsed = parse_document(text)
    diagnostics = tuple(_inside(each) for each in parsed.diagnostics)
    document = parsed.document
    return ParsedClassification(classification=document.policies[0].classification if document else None, diagnostics=diagnostics)


def _inside(diagnostic: Diagnostic) -> Diagnostic:
    path = diagnostic.where.path.removeprefix(f"policies.{_NAME}.")
    where = msgspec.structs.replace(diagnostic.where, path=path, kind="policy", name="", line=0, column=0)
    return msgspec.structs.replace(diagnostic, where=where)
