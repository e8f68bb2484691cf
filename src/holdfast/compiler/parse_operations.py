"""Parses one operation of a policy: what the kind allows, when it is due, what is kept."""

from __future__ import annotations

from typing import Literal

from holdfast.compiler.fields import Fields, listed
from holdfast.compiler.nearest import nearest_hint
from holdfast.compiler.notes import At, Notes
from holdfast.compiler.parse_places import SCHEDULE_KEYS, schedule_times, time_problem
from holdfast.compiler.yaml_tree import Mapping, Scalar, Tree
from holdfast.core.errors import UsageError
from holdfast.core.units import parse_duration_s
from holdfast.model.document import KeepRules, OperationUse, Schedule
from holdfast.model.operations import COMMON_OPTIONS, SPECS, OperationSpec

_KEEP = ("last", "hourly", "daily", "weekly", "monthly", "yearly", "within")
_DEFAULT_REMOVED_KEEP_S = 604_800.0

Removed = tuple[Literal["follow", "keep"], float | None]


def parse_operation(notes: Notes, name: str, at: At, tree: Tree) -> OperationUse | None:
    """None when its kind is not known: nothing more can be said about its options."""
    anything = tuple(dict.fromkeys(COMMON_OPTIONS + tuple(option for spec in SPECS.values() for option in spec.options)))
    fields = Fields(notes, at, tree, anything)
    kind = fields.text("operation", name)
    spec = SPECS.get(kind)
    if spec is None:
        hint = nearest_hint(kind, SPECS, "") or f"the kinds are {listed(list(SPECS))}"
        if "operation" not in fields:
            hint += "; with a name of your own say which kind it is: `operation: backup`"
        fields.bad("unknown-kind", "operation", f"there is no operation `{kind[:80]}`", hint)
        return None
    _refuse_foreign_options(fields, spec)
    archive = fields.child("when", ("older_than", "larger_than")) if kind == "archive" else None
    removed, removed_keep_s = _removed(fields) if kind == "replicate" else ("keep", None)
    return OperationUse(
        name=name,
        kind=kind,
        when=_schedule(fields),
        lock_s=fields.duration_s("lock"),
        keep=parse_keep(fields) if "keep" in spec.options and kind != "archive" else KeepRules(),
        within_s=fields.duration_s("within") if "within" in spec.options else None,
        last=fields.integer("last") if "last" in spec.options else None,
        removed=removed,
        removed_keep_s=removed_keep_s,
        archive_older_than_s=archive.duration_s("older_than") if archive else None,
        archive_larger_than_bytes=archive.size_bytes("larger_than") if archive else None,
        archive_keep_s=fields.duration_s("keep") if kind == "archive" else None,
        archive_leave=fields.choice("leave", ("nothing", "copy", "stub", "placeholder"), "stub") if kind == "archive" else "stub",
    )


def _refuse_foreign_options(fields: Fields, spec: OperationSpec) -> None:
    has = COMMON_OPTIONS + spec.options
    if spec.kind in ("replicate", "archive"):
        # They make no points, so there is nothing to lock.
        has = tuple(option for option in has if option != "lock")
    for key in fields.keys():  # noqa: SIM118 - Fields is no mapping
        if key not in has:
            fields.bad("option-not-of-kind", key, f"`{spec.kind}` has no `{key}`", f"it has {listed(has)}")


def _schedule(fields: Fields) -> Schedule:
    is_inline = isinstance(fields.get("schedule"), Mapping)
    schedule = Schedule(
        every_s=fields.duration_s("every"),
        at=fields.texts("at", time_problem),
        schedule="" if is_inline else fields.name("schedule"),
        inline=schedule_times(fields.child("schedule", SCHEDULE_KEYS)) if is_inline else None,
        after=fields.name("after"),
    )
    others = [key for key in ("every", "at", "schedule") if key in fields]
    if "after" in fields and others:
        fields.bad("schedule-conflict", "after", f"`after` cannot stand beside {listed(others)}", "keep `after`, or the times")
    return schedule


def parse_keep(fields: Fields) -> KeepRules:
    """`keep: {hourly: 24, within: 30d}`."""
    keep = fields.child("keep", _KEEP)
    if "keep" in fields and not isinstance(fields.get("keep"), Mapping):
        return KeepRules()
    return KeepRules(
        last=keep.integer("last") or 0,
        hourly=keep.integer("hourly") or 0,
        daily=keep.integer("daily") or 0,
        weekly=keep.integer("weekly") or 0,
        monthly=keep.integer("monthly") or 0,
        yearly=keep.integer("yearly") or 0,
        within_s=keep.duration_s("within") or 0,
    )


def _removed(fields: Fields) -> Removed:
    """`follow`, `keep` (for ever), `keep 30d`, or as a mapping `{keep: 30d}`."""
    tree = fields.get("removed")
    if tree is None:
        return "keep", _DEFAULT_REMOVED_KEEP_S
    if isinstance(tree, Mapping):
        return "keep", fields.child("removed", ("keep",)).duration_s("keep")
    text = fields.text("removed") if isinstance(tree, Scalar) else ""
    if text in ("follow", "keep"):
        return ("follow", None) if text == "follow" else ("keep", None)
    word, _, duration = text.partition(" ")
    try:
        if word == "keep" and (seconds := parse_duration_s(duration[:40])) > 0:
            return "keep", min(seconds, 1000 * 31_536_000.0)
    except UsageError:
        pass
    fields.bad("bad-value", "removed", "`removed` must be follow, keep or keep DURATION", "write `removed: follow` or `removed: keep 30d`")
    return "keep", _DEFAULT_REMOVED_KEEP_S
