"""Every diagnostic code: its level and its meaning in one line. `docs/diagnostics.md` and the samples are tested against this."""

from __future__ import annotations

from typing import NamedTuple

from holdfast.model.diagnostics import Diagnostic, Level, Where


class Code(NamedTuple):
    """`sampled` is False where no small file can show it; a test of its own does."""

    level: Level
    meaning: str
    sampled: bool = True


_E, _W, _I = Level.ERROR, Level.WARNING, Level.INFO

CODES: dict[str, Code] = {
    # the text
    "yaml-syntax": Code(_E, "The text is not YAML as we read it"),
    "yaml-alias": Code(_E, "Aliases (`*name`) are not read: they can blow up and hide what applies where"),
    "yaml-tag": Code(_E, "Tags (`!name`) are not read"),
    "too-large": Code(_E, "The text is larger than 4 MiB", False),
    "too-deep": Code(_E, "The text is nested deeper than 20 levels"),
    "too-many-problems": Code(_E, "More than 500 problems; the rest is not listed", False),
    # keys and values
    "duplicate-key": Code(_E, "A key stands twice in one mapping"),
    "unknown-key": Code(_E, "A key that the grammar does not have at this place"),
    "missing-key": Code(_E, "A key that must be there is not"),
    "wrong-type": Code(_E, "A value of another type than the grammar has here"),
    "bad-name": Code(_E, "A name is not made of letters, digits, `.`, `_` and `-`, or is longer than 63"),
    "bad-value": Code(_E, "A value outside what the grammar allows here"),
    "bad-duration": Code(_E, "A duration that cannot be read"),
    "bad-size": Code(_E, "A size that cannot be read"),
    "bad-rate": Code(_E, "A rate that cannot be read"),
    "bad-time": Code(_E, "A time of day that is not `HH:MM`"),
    "bad-window": Code(_E, "A window that cannot be read"),
    "bad-zone": Code(_E, "A time zone that this machine does not know"),
    "bad-path": Code(_E, "A path that is not absolute, or has `.` or `..` in it"),
    "bad-pattern": Code(_E, "A pattern that is not a gitignore pattern"),
    "bad-location": Code(_E, "A repository location that is neither an absolute path nor `s3://`"),
    "bad-address": Code(_E, "An address that is not `HOST:PORT`"),
    "one-of": Code(_E, "Exactly one of several keys must be there"),
    "unknown-kind": Code(_E, "An operation kind that does not exist"),
    "option-not-of-kind": Code(_E, "An option that this kind of operation does not have"),
    "schedule-conflict": Code(_E, "`after` together with `every`, `at` or `schedule`"),
    # names
    "unknown-flow": Code(_E, "A flow that is not in the document"),
    "unknown-node": Code(_E, "A node that is not in the document"),
    "unknown-group": Code(_E, "A group that is not in the document"),
    "unknown-repository": Code(_E, "A repository that is not in the document"),
    "unknown-schedule": Code(_E, "A schedule that is not in the document"),
    "unknown-policy": Code(_E, "A policy that is not in the document"),
    "unknown-operation": Code(_E, "An operation that the policy does not have"),
    "unknown-vertex": Code(_E, "A mover's end is not a vertex of its flow"),
    "not-in-this-version": Code(_E, "Understood, but this version has no engine for it yet"),
    # the drawing
    "bad-mover": Code(_E, "A mover between ends that cannot be joined"),
    "option-not-here": Code(_E, "An option that means nothing on this mover"),
    "not-upstream": Code(_E, "A mover carries what never arrives at its start"),
    "wrong-receiver": Code(_E, "An operation that the mover's target cannot take"),
    "mode-batch": Code(_E, "`mode: batch` on a mover whose operation needs a continuous stream"),
    "only-nothing": Code(_E, "`only` leaves nothing of what the mover carries"),
    "only-differs": Code(_E, "Movers that are one delivery name different parts of what they carry"),
    "cycle": Code(_E, "Movers lead back to where they started"),
    "dead-end": Code(_E, "What arrives at a relay is not carried on"),
    "two-ways-in": Code(_E, "One dataset reaches the same place along two ways"),
    "after-cycle": Code(_E, "Operations that wait for each other"),
    "archive-everything": Code(_E, "An archive operation that does not say which files; all of them would leave the source"),
    "archive-way": Code(_E, "What is archived reaches its repository through a relay, or from another repository"),
    "two-archives": Code(_E, "A policy with more than one archive operation"),
    # places
    "repository-clash": Code(_E, "Two repositories, or a repository and a mirror, lie in one place or inside each other"),
    "mirror-path": Code(_E, "A mirror's path does not say where each of several paths goes"),
    "mirror-path-clash": Code(_E, "Two datasets would be kept in one mirror path, or one inside the other"),
    "source-inside-store": Code(_E, "A captured path lies in a repository, or is its own mirror"),
    "loop-by-location": Code(_E, "Datasets that are captured from each other's mirrors"),
    "granularity-overlap": Code(_E, "Two policies on one node capture the same files with different granularity"),
    "application-overlap": Code(_E, "Two policies on one node capture the same files, and only one asks for consistent databases"),
    "too-many-datasets": Code(_E, "More than 62 policies on one node"),
    # worth a look
    "node-not-joined": Code(_W, "A node that has not joined yet; its part is left out until it does"),
    "no-address": Code(_W, "A receiving node whose address nobody knows yet"),
    "empty-group": Code(_W, "A group without nodes"),
    "no-keep": Code(_W, "An operation without `keep` keeps everything for ever"),
    "keep-shorter-than-rpo": Code(_W, "Points go before the next one is due"),
    "lock-unprotected": Code(
        _W, "Points are locked on a machine whose root has set no limits: whoever rules the Master could reach their files"
    ),
    "nothing-scheduled": Code(_W, "No operation of a policy in this flow has a schedule: it runs only when triggered"),
    "schedule-idle": Code(_W, "A schedule that says when runs may start, and nothing says how often"),
    "rides-with-points": Code(_W, "An operation without a schedule that goes as a batch: it is made with each point of what is followed"),
    "not-carried": Code(_W, "An operation, or a policy of a source, that no mover carries"),
    "unreachable-vertex": Code(_W, "Nothing reaches this vertex, or leaves it"),
    "options-merged": Code(_W, "Several movers became one delivery and their options differ; the strictest counts"),
    "snapshot-unused": Code(_W, "A policy asks for snapshots, and none of its operations looks at all of the source"),
    "schedule-unused": Code(_I, "A schedule that no operation and no report names"),
    "policy-unused": Code(_I, "A policy that is in no flow"),
    "excluded-inside": Code(_I, "A repository or mirror lies inside a captured path and is left out of the capture"),
    "reactivated": Code(_I, "Another active flow is activated again, because it shares what changed", False),
}


def diagnose(code: str, where: Where, message: str, hint: str = "") -> Diagnostic:
    """A diagnostic at the level its code has."""
    return Diagnostic(code=code, level=CODES[code].level, message=message, where=where, hint=hint)
