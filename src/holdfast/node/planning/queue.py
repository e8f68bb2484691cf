"""What is to be done next, as jobs that wait in the book: an identical one that still waits is joined."""

from __future__ import annotations

from holdfast.core.ids import DatasetId
from holdfast.model.jobs import Job
from holdfast.model.promises import labels_in
from holdfast.model.rules import Rules
from holdfast.node.planning.retries import Retry
from holdfast.node.records.job_book import JobBook, LiveJob, Signature
from holdfast.node.workers.messages import RunCascade, RunDatasets

Chosen = dict[DatasetId, tuple[str, ...]]
"""Datasets, and the operations that are due of each."""


class Queue:
    """By the rules in force."""

    def __init__(self, book: JobBook) -> None:
        self._book = book
        self._rules: Rules | None = None

    def set_rules(self, rules: Rules) -> None:
        self._rules = rules

    def run(self, chosen: Chosen, *, cause: str, trigger: str, accept: bool, adopt: bool) -> LiveJob:
        if (live := self._like_it(chosen, accept=accept, adopt=adopt)) is not None:
            self._book.publish(live)
            return live
        job = self._run_job(chosen, cause, trigger)
        return self._book.add(RunDatasets(job=job, datasets=tuple(chosen), operations=chosen, accept=accept, adopt=adopt))

    def again(self, chosen: Chosen, *, catch_up: bool, failure: Signature) -> LiveJob:
        """What failed; it is told of only if it fails otherwise than with `failure`."""
        job = self._run_job(chosen, "retry", kind="catch-up" if catch_up else "run")
        return self._book.add(RunDatasets(job=job, datasets=tuple(chosen), operations=chosen, catch_up=catch_up), quiet_failure=failure)

    def cascade(self, cascade_id: str, *, cause: str, trigger: str = "", retry: Retry | None = None, adopt: bool = False) -> LiveJob:
        for live in self._book.queued:
            if isinstance(live.request, RunCascade) and live.request.cascade == cascade_id and live.request.adopt >= adopt:
                if retry is None:
                    self._book.publish(live)
                return live
        delivery = next(cascade.delivery for cascade in (self._rules.cascades if self._rules else ()) if cascade.id == cascade_id)
        rule = f"{delivery.label} -> {delivery.receiver_name}"
        job = self._book.new_job("cascade", rule, cause, delivery.operations, trigger, (delivery.label,))
        return self._book.add(RunCascade(job=job, cascade=cascade_id, adopt=adopt), quiet_failure=None if retry is None else retry.failure)

    def waiting_operations(self) -> dict[DatasetId, set[str]]:
        """What queued captures will mark."""
        waiting: dict[DatasetId, set[str]] = {}
        for live in self._book.queued:
            if isinstance(live.request, RunDatasets) and not live.request.catch_up:
                for dataset, operations in live.request.operations.items():
                    waiting.setdefault(dataset, set()).update(operations)
        return waiting

    def _like_it(self, chosen: Chosen, *, accept: bool, adopt: bool) -> LiveJob | None:
        """A run that waits and is the same."""
        for live in self._book.queued:
            if not isinstance(request := live.request, RunDatasets) or request.catch_up:
                continue
            if (request.operations, request.accept, request.adopt) == (chosen, accept, adopt):
                return live
        return None

    def _run_job(self, chosen: Chosen, cause: str, trigger: str = "", kind: str = "run") -> Job:
        labels = labels_in(self._rules)
        names = sorted(labels.get(dataset, dataset) for dataset in chosen)
        rule = ", ".join(names) if len(names) <= 3 else f"{len(names)} datasets"
        operations = tuple(sorted({name for operations in chosen.values() for name in operations}))
        return self._book.new_job(kind, rule, cause, operations, trigger, tuple(names))
