"""One part of the document on its own: what a form of the console holds before it is in the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from holdfast.compiler.edit_text import line_text
from holdfast.compiler.edit_values import check_value
from holdfast.compiler.parse import parse_document
from holdfast.compiler.yaml_tree import MAX_TEXT_BYTES
from holdfast.core.errors import UsageError
from holdfast.model.diagnostics import Diagnostic
from holdfast.model.document import Classification, Document, KeepRules, ScheduleTimes
from holdfast.model.edit import Value

_NAME = "sample"


class ParsedClassification(msgspec.Struct, frozen=True, kw_only=True):
    """`classification` is None when the values cannot be taken. The places of diagnostics begin at `classification`."""

    classification: Classification | None
    diagnostics: tuple[Diagnostic, ...] = ()


class ParsedKeep(msgspec.Struct, frozen=True, kw_only=True):
    """Keep rules and a schedule. `keep` is None when they cannot be taken. The places of diagnostics begin at `keep`, `every`, `at`
    or `zone`."""

    keep: KeepRules | None
    every_s: float | None = None
    at: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def parse_classification(values: Mapping[str, Value]) -> ParsedClassification:
    """Values as they would stand in the document. Raises `UsageError` for what no document can hold."""
    check_value(dict(values))
    text = f"policies: {{{_NAME}: {{classification: {line_text(dict(values))}, operations: {{backup: {{keep: {{last: 1}}}}}}}}}}\n"
    document, diagnostics = _parsed(text, "the classification is too large", "use patterns instead of lists of paths")
    return ParsedClassification(classification=document.policies[0].classification if document else None, diagnostics=diagnostics)


def parse_keep_part(keep: Mapping[str, Value], every: str | None, at: Sequence[str], zone: str) -> ParsedKeep:
    """Values as they would stand in an operation, the zone as in a schedule. Raises `UsageError` for what no document can hold."""
    operation: dict[str, Value] = {"keep": dict(keep)} if every is None else {"every": every, "keep": dict(keep)}
    schedule: dict[str, Value] = {"zone": zone, "at": list(at)}
    for part in (operation, schedule):
        check_value(part)
    text = (
        f"schedules: {{{_NAME}: {line_text(schedule)}}}\n"
        f"policies: {{{_NAME}: {{classification: {{paths: [/]}}, operations: {{backup: {line_text(operation)}}}}}}}\n"
    )
    document, diagnostics = _parsed(text, "the keep rules are too large", "there are seven keys, each with one number or duration")
    if document is None:
        return ParsedKeep(keep=None, diagnostics=diagnostics)
    use = document.policies[0].operations[0]
    return ParsedKeep(keep=use.keep, every_s=use.when.every_s, at=document.schedules[0].at, diagnostics=diagnostics)


class ParsedSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """`times` is None when the values cannot be taken. The places of diagnostics begin at the keys of the schedule."""

    times: ScheduleTimes | None
    diagnostics: tuple[Diagnostic, ...] = ()


def parse_schedule_part(schedule: Mapping[str, Value]) -> ParsedSchedule:
    """Values as they would stand in a schedule. Raises `UsageError` for what no document can hold."""
    check_value(dict(schedule))
    text = f"schedules: {{{_NAME}: {line_text(dict(schedule))}}}\n"
    document, diagnostics = _parsed(text, "the schedule is too large", "write days as mon-fri, or `day 1,15,last`")
    return ParsedSchedule(times=document.schedules[0] if document else None, diagnostics=diagnostics)


def _parsed(text: str, too_large: str, hint: str) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    if len(text) > MAX_TEXT_BYTES:
        raise UsageError(too_large, hint=hint)
    parsed = parse_document(text)
    return parsed.document, tuple(_inside(each) for each in parsed.diagnostics)


def _inside(diagnostic: Diagnostic) -> Diagnostic:
    path = diagnostic.where.path
    for outside in (f"policies.{_NAME}.operations.backup.", f"policies.{_NAME}.", f"schedules.{_NAME}."):
        path = path.removeprefix(outside)
    where = msgspec.structs.replace(diagnostic.where, path=path, kind="policy", name="", line=0, column=0)
    return msgspec.structs.replace(diagnostic, where=where, fixes=())
