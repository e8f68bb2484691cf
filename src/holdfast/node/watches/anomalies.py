"""Has each repository look at what is new in it, and tells what looks like the destruction of a dataset."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from holdfast.core.errors import HoldfastError, UnknownName
from holdfast.core.ids import DatasetId
from holdfast.model.anomalies import Anomaly, AnomalyJudged, AnomalyPlan, AnomalyState, AskJudgeAnomaly, words_of
from holdfast.model.jobs import Event, Finding, Severity
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.rules import Rules
from holdfast.node.owned.repositories import Repositories
from holdfast.node.workers.periodic import Periodic
from holdfast.repository.repository import Repository

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0
_STRANGE = (HoldfastError, OSError, RuntimeError, ValueError)


class AnomalyWatch(Periodic):
    """Beside the deliveries. `rules` gives those in force, None = none yet."""

    def __init__(self, repositories: Repositories, rules: Callable[[], Rules | None], tell: Callable[[Event], None]) -> None:
        super().__init__("anomalies", LOOK_EVERY_S)
        self._repositories = repositories
        self._rules = rules
        self._tell = tell

    def look(self) -> None:
        """Once, in each repository. Never raises."""
        rules = self._rules()
        if rules is None:
            return
        for repository in self._repositories.opened():
            if self.is_stopping:
                return
            try:
                for anomaly in repository.care.anomalies.look(plans_of(rules, repository), repository.time.now()):
                    self._tell(event_of(anomaly, rules))
            except _STRANGE as error:
                # Whatever ails the repository is told by those who work in it; this look is made again.
                logger.warning("what is new could not be looked at", extra={"facts": {"repository": repository.name, "error": str(error)}})


def plans_of(rules: Rules, repository: Repository) -> dict[DatasetId, AnomalyPlan]:
    """Of the datasets that are looked at there."""
    return {receive.dataset: action.anomaly for receive, action in rules.stored_in(repository.id) if action.anomaly is not None}


def event_of(anomaly: Anomaly, rules: Rules) -> Event:
    facts = {"anomaly": anomaly.id, "repository": anomaly.repository, "dataset": anomaly.dataset, "clean": anomaly.clean_at.isoformat()}
    return Event(code="anomaly", severity=Severity.ERROR, message=words_of(anomaly), node=rules.node, time=anomaly.found_at, facts=facts)


def anomaly_findings(repositories: Sequence[RepositoryStatus]) -> tuple[Finding, ...]:
    """Those that nobody has judged."""
    hint = "restore with `--at last-clean`; `holdfast anomaly confirm` or `dismiss` says what it was"
    return tuple(
        Finding(
            code="anomaly",
            severity=Severity.ERROR,
            message=f"in {repository.name}, {words_of(anomaly)}",
            hint=hint,
            repository=repository.name,
        )
        for repository in repositories
        for anomaly in repository.anomalies
        if anomaly.state is AnomalyState.OPEN
    )


def judge_anomaly(question: AskJudgeAnomaly, repositories: Sequence[Repository]) -> AnomalyJudged:
    """In the repository here that knows it. Raises `UnknownName`, `RepositoryLocked`."""
    found: list[Anomaly] = []
    missing = UnknownName(f"no anomaly {question.id!r} here", hint="`holdfast anomalies` lists them")
    for repository in repositories:
        try:
            now = repository.time.now()
            found.append(repository.care.anomalies.decide(question.id, confirmed=question.confirmed, by=question.by, now=now))
        except UnknownName as error:
            missing = error
    if not found:
        raise missing
    return AnomalyJudged(anomalies=tuple(found))
