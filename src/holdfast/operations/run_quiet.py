"""Bringing the sources of a run to rest: hooks, and between them snapshots. What a snapshot shows may move on, and its hooks say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.core.errors import ErrorFacts, HoldfastError, facts_of
from holdfast.core.ids import DatasetId
from holdfast.host.sight import Sight
from holdfast.host.snapshots import NONE, Snapshots
from holdfast.model.jobs import Finding, Severity
from holdfast.model.roots import normal_roots
from holdfast.model.rules import DatasetRule
from holdfast.operations.run_order import HookRunner, SnapshotTaker


class Quiet:
    """`begin`, read, and `end` whatever happens. Of a run that does not look at the whole of its datasets, nothing is done."""

    def __init__(self, rules: Sequence[DatasetRule], hook: HookRunner, take: SnapshotTaker, *, is_scan: bool) -> None:
        self._rules = tuple(rules) if is_scan else ()
        self._hook, self._take = hook, take
        self._waiting = list(self._rules)
        self._snapshots: Snapshots = NONE
        self.findings: list[Finding] = []

    @property
    def sight(self) -> Sight:
        """Where to look, once it has begun."""
        return self._snapshots.sight

    def begin(self, check: Callable[[], None]) -> dict[DatasetId, ErrorFacts]:
        """What went wrong before each dataset could be read. `check` raises when nobody wants to go on."""
        errors: dict[DatasetId, ErrorFacts] = {}
        for rule in self._rules:
            if rule.hooks.before:
                check()
                try:
                    self._hook(rule, "before")
                except HoldfastError as error:
                    errors[rule.id] = facts_of(error)
        wanted = [rule for rule in self._rules if rule.classification.consistent == "snapshot" and rule.id not in errors]
        if wanted:
            self._snapshots = self._take(tuple(dict.fromkeys(root for rule in wanted for root in normal_roots(rule.classification.paths))))
            self.findings += self._snapshots.findings
            for rule in wanted:
                if self._snapshots.covered.issuperset(normal_roots(rule.classification.paths)):
                    self._after(rule)
        return errors

    def end(self) -> None:
        """What `before` stopped is started again, whatever became of the run."""
        for rule in tuple(self._waiting):
            self._after(rule)
        self.findings += self._snapshots.close()

    def _after(self, rule: DatasetRule) -> None:
        self._waiting.remove(rule)
        if not rule.hooks.after:
            return
        try:
            self._hook(rule, "after")
        except HoldfastError as error:
            message = f"{rule.label}: {error.message}"
            self.findings.append(Finding(code=error.code, severity=Severity.WARNING, message=message, hint=error.hint))
