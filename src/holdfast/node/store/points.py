"""What a store worker is asked of points: to change them, and why something is still there."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.core.errors import ErrorFacts, UnknownName
from holdfast.core.ids import RepositoryId
from holdfast.model.explanations import AskExplain, Explanation, Explanations
from holdfast.model.point_changes import AskChangePoints, ChangedPoint, PointsChanged, refuse_what_stays
from holdfast.model.rules import Rules, StoredOperation
from holdfast.repository.points.point_changes import Chosen
from holdfast.repository.repository import Repository

_Unknown = tuple[tuple[str, ErrorFacts], ...]


def change(question: AskChangePoints, repositories: Sequence[Repository]) -> PointsChanged:
    """In every one of these repositories that has the points; of points that were named, all change or none. Raises what
    `Repository.change_points` raises, and `UnknownName` when none has one of them."""
    chosen, unknown = _chosen(question, repositories)
    planned = [repository.change_points(own, question.change, dry_run=True) for repository, own in chosen]
    if question.dry_run:
        return PointsChanged(changes=_joined(planned), dry_run=True, unknown=unknown)
    if not question.dataset:
        for changes in planned:
            refuse_what_stays(changes)
    done = [repository.change_points(own, question.change) for repository, own in chosen]
    return PointsChanged(changes=_joined(done), unknown=unknown)


def explain(question: AskExplain, repositories: Sequence[Repository], rules: Rules | None) -> Explanations:
    rows: list[Explanation] = []
    for repository in repositories:
        operations = operations_in(rules, repository.id)
        rows += repository.explain(question.path, question.dataset, question.at, operations)
    return Explanations(rows=tuple(rows))


def operations_in(rules: Rules | None, repository: RepositoryId) -> dict[tuple[str, str], StoredOperation]:
    """Those that make points in this repository, by dataset and name."""
    stored = rules.stored_in(repository) if rules is not None else ()
    return {(receive.dataset, operation.name): operation for receive, action in stored for operation in action.operations}


def _chosen(question: AskChangePoints, repositories: Sequence[Repository]) -> tuple[list[tuple[Repository, Chosen]], _Unknown]:
    """What is to change in each repository; which of the names mean nothing here."""
    if question.dataset:
        holding = [repository for repository in repositories if repository.points(question.dataset)]
        if not holding:
            raise UnknownName(f"there are no points of dataset {question.dataset!r}", hint="`holdfast points` lists what there is")
        return [(repository, Chosen(dataset=question.dataset)) for repository in holding], ()
    found: dict[int, list[str]] = {}
    unknown: list[tuple[str, ErrorFacts]] = []
    for prefix in question.points:
        hits, missing = 0, UnknownName(f"no point {prefix!r} here", hint="this machine has no repository that can be read; see `status`")
        for number, repository in enumerate(repositories):
            try:
                point = repository.point(prefix)
            except UnknownName as error:
                missing = error
                continue
            hits += 1
            found.setdefault(number, []).append(point.id)
        if not hits and not question.partly:
            raise missing
        if not hits:
            unknown.append((prefix, missing.facts()))
    return [(repositories[number], Chosen(points=tuple(ids))) for number, ids in found.items()], tuple(unknown)


def _joined(changes: Sequence[tuple[ChangedPoint, ...]]) -> tuple[ChangedPoint, ...]:
    return tuple(change for each in changes for change in each)
