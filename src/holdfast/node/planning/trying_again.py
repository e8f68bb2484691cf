"""An ended job tried again because somebody says so: what it was about, by the rules in force now. Pure."""

from __future__ import annotations

from holdfast.core.errors import Conflict, UnknownName, UsageError
from holdfast.core.ids import DatasetId
from holdfast.model.jobs import ENDED, Job
from holdfast.model.promises import promises_of
from holdfast.model.questions import AskTrigger
from holdfast.model.rules import Rules

_OTHERWISE = {
    "restore": "start the restore once more: whole files that are in place are kept",
    "recall": "recall once more: what is still a stub is recalled then",
}


def subjects_named(rules: Rules | None, job: Job) -> frozenset[str]:
    """The datasets or the cascade of a job, by what people call them; none of what the rules do not name any more."""
    if rules is None:
        return frozenset()
    if job.kind == "cascade":
        named = ((cascade.id, f"{cascade.delivery.label} -> {cascade.delivery.receiver_name}") for cascade in rules.cascades)
        return frozenset(identity for identity, name in named if name == job.rule)
    if job.kind not in ("run", "catch-up"):
        return frozenset()
    labels = {dataset.id: dataset.label for dataset in rules.datasets}
    labels |= {promise.delivery.dataset: promise.delivery.label for promise in promises_of(rules) if not promise.cascade}
    return frozenset(identity for identity, label in labels.items() if label in job.datasets)


def ask_again(rules: Rules | None, job: Job) -> AskTrigger:
    """What to trigger. Raises `Conflict` while it has not ended, `UsageError` for what is no run or cascade, `UnknownName` when the rules
    name nothing of it any more."""
    if job.state not in ENDED:
        raise Conflict(f"the job is {job.state.value}", hint="wait for its end, or cancel it first: `holdfast jobs cancel`", job=job.id)
    if job.kind not in ("run", "catch-up", "cascade"):
        hint = _OTHERWISE.get(job.kind, f"have it done once more: `holdfast repository {job.kind} {job.rule}`")
        raise UsageError(f"a {job.kind} is not tried again as it was", hint=hint)
    subjects = subjects_named(rules, job)
    if not subjects:
        raise UnknownName(f"the rules no longer name {job.rule!r}", hint="activate the flow again if it should run", job=job.id)
    if job.kind == "cascade":
        return AskTrigger(trigger="", cascades=tuple(sorted(subjects)))
    return AskTrigger(trigger="", datasets=tuple(DatasetId(each) for each in sorted(subjects)), operations=job.operations)
