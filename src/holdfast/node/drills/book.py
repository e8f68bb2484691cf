"""What came of the newest drill of each dataset in a repository: `HOME/repositories/NAME/drills.json`, and how drills stand by it.

A cache for people: what was proven is a fact of the point, too, and outlasts this file.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from holdfast.host.home_records import load_record, save_record
from holdfast.model.drills import Drilled, DrillRecord, DrillStatus, judge_drills
from holdfast.model.jobs import Finding, Severity
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.rules import Rules
from holdfast.repository.repository import Repository

_FILE = "drills.json"


class DrillBook:
    """Of all repositories of this home. Thread-safe."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "repositories"
        self._lock = threading.Lock()

    def records(self, repository: str) -> tuple[DrillRecord, ...]:
        """`repository` is a name. A file that cannot be read is as good as none: the next drill writes another."""
        return load_record(self._folder / repository / _FILE, tuple[DrillRecord, ...]) or ()

    def put(self, repository: str, record: DrillRecord) -> None:
        """Raises `OSError`."""
        with self._lock:
            others = [each for each in self.records(repository) if each.dataset != record.dataset]
            kept = sorted((*others, record), key=lambda each: each.label)
            save_record(self._folder / repository / _FILE, kept)

    def statuses(self, repository: Repository, rules: Rules | None) -> tuple[DrillStatus, ...]:
        """Of each dataset that is drilled by the rules, or ever was. Raises what reading the repository raises."""
        records = {record.dataset: record for record in self.records(repository.name)}
        stored = rules.stored_in(repository.id) if rules is not None else ()
        plans = {receive.dataset: (receive.label, action.drill) for receive, action in stored if action.drill is not None}
        wanted = {dataset: label for dataset, (label, _) in plans.items()}
        wanted |= {record.dataset: record.label for record in records.values()}
        if not wanted:
            return ()
        points = [point for point in repository.points() if point.dataset_id in wanted]
        found = []
        for dataset, label in sorted(wanted.items(), key=lambda item: item[1]):
            own = [point for point in points if point.dataset_id == dataset]
            oldest = min((point.time for point in own), default=None) or repository.oldest_moment(dataset)
            proofs = [point.proof.proven_at for point in own if point.proof is not None and point.proof.proven_at is not None]
            drilled = Drilled(
                dataset=dataset,
                label=label,
                plan=plans[dataset][1] if dataset in plans else None,
                last=records.get(dataset),
                oldest_at=oldest,
                proven_at=max(proofs, default=None),
            )
            found.append(judge_drills(drilled, repository.time.now()))
        return tuple(found)


def drill_findings(repositories: Sequence[RepositoryStatus]) -> tuple[Finding, ...]:
    """Drills that proved nothing, and those that are overdue."""
    found = []
    for repository in repositories:
        for drill in repository.drills:
            if drill.last is not None and drill.failed:
                found.append(
                    Finding(
                        code="drill-failed",
                        severity=Severity.ERROR,
                        message=f"the last drill of {drill.dataset} in {repository.name} proved nothing: {drill.last.problem}",
                        repository=repository.name,
                        hint="`holdfast drills` lists them; mend it, then `holdfast drill` tries again",
                    )
                )
            elif drill.overdue:
                since = "never" if drill.proven_at is None else f"on {drill.proven_at:%Y-%m-%d %H:%M} UTC"
                found.append(
                    Finding(
                        code="drill-overdue",
                        severity=Severity.ERROR,
                        message=f"{drill.dataset} in {repository.name} was last proven restorable {since}, and a drill is overdue",
                        repository=repository.name,
                        hint="`holdfast jobs` shows why it did not run; `holdfast drill` runs one now",
                    )
                )
    return tuple(found)
