"""What a store worker answers about the repositories it owns."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import msgspec

from holdfast.core.errors import HoldfastError, UnknownName, UsageError, facts_of
from holdfast.model.adoption import AskAdopt
from holdfast.model.anomalies import AskJudgeAnomaly
from holdfast.model.archive_questions import AskArchive, AskArchiveHold
from holdfast.model.differences import AskDiff, Differences
from holdfast.model.explanations import AskExplain
from holdfast.model.gaps import Gap
from holdfast.model.jobs import Finding
from holdfast.model.keys import KeyQuestion
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing, AskPoints, Listings, Points, listed_age
from holdfast.model.mirrors import AskMirrors
from holdfast.model.moments import AskMoment, AskMoments, Moment, Moments, is_address, is_lineage_address, parse_address
from holdfast.model.node_status import NodeStatus
from holdfast.model.pausing import AskPause, PauseTold
from holdfast.model.point_changes import AskChangePoints
from holdfast.model.points import Point, whole_copies
from holdfast.model.questions import Answer, AskRepositoryEnv, AskStatus, Failed, Question
from holdfast.model.rules import Rules
from holdfast.node.drills.book import DrillBook, drill_findings
from holdfast.node.owned.repositories import Repositories
from holdfast.node.owned.room_book import room_findings
from holdfast.node.store.adoption import adopt
from holdfast.node.store.archive import change_hold, told_archive
from holdfast.node.store.copies import mirror_states
from holdfast.node.store.parts_here import how_much_is_here
from holdfast.node.store.points import change, explain
from holdfast.node.watches.anomalies import anomaly_findings, judge_anomaly
from holdfast.node.watches.doubted_time import alarm_findings, time_findings
from holdfast.node.watches.sealing import held_findings
from holdfast.repository.repository import Repository


def answer(question: Question, repositories: Repositories, rules: Rules | None, drills: DrillBook) -> Answer:
    """Never raises a `HoldfastError`; a failure is an answer too."""
    try:
        if isinstance(question, AskStatus):
            return _status(repositories, rules, drills)
        return _answer(question, repositories, rules)
    except (HoldfastError, OSError) as error:
        return Failed(error=facts_of(error))


def find_point(repositories: Repositories, prefix: str, name: str = "") -> tuple[Repository, Point]:
    """The repository here that holds the point, and the point; of a moment the newest. `name`: only that repository (name or id) will do.
    Copies of one point are equal, so the first will do, unless it is a part of another. Raises `UnknownName`, also where several begin
    so."""
    if is_address(prefix) and not is_lineage_address(prefix):
        dataset, at = parse_address(prefix)
        found = _at(AskMoment(dataset=dataset, at=at, repository=name), repositories)
        return max(found, key=lambda pair: (pair[1].time, pair[1].seq))
    missing: UnknownName | None = None
    chosen = _chosen(repositories, name)
    for repository in chosen:
        try:
            point = repository.point(prefix)
        except UnknownName as error:
            missing = missing or error
            continue
        copies = [(repository, point)]
        for other in chosen:
            for named in (point.id, prefix) if other is not repository and not is_lineage_address(prefix) else ():
                # A look at a store that is far away, or does not answer, would keep waiting what lies here.
                with suppress(UnknownName):
                    copies.append((other, other.point(named, anew=False)))
        if len({copy.id for _, copy in copies}) > 1:
            raise UnknownName(f"several points begin with {prefix!r}", hint="give more characters; `holdfast points` lists them")
        return whole_copies(copies, lambda each: each[1])[0]
    raise missing or UnknownName(f"no point {prefix!r} here", hint="this machine has no repository that can be read now; see `status`")


def _answer(question: Question, repositories: Repositories, rules: Rules | None) -> Answer:
    if isinstance(question, KeyQuestion):
        return repositories.answer_about_keys(question)
    match question:
        case AskAdopt():
            return adopt(question, repositories, rules)
        case AskPoints():
            return _points(question, repositories)
        case AskMoment():
            return Points(points=tuple(point for _, point in _at(question, repositories)))
        case AskMirrors():
            return mirror_states(question, rules)
        case AskMoments():
            return _moments(question, repositories)
        case AskListing() if not question.point or (is_address(question.point) and not is_lineage_address(question.point)):
            return _listing_at(question, repositories, rules)
        case AskListing():
            return _listing(question, find_point(repositories, question.point, question.repository)[0], rules)
        case AskDiff():
            return _differences(question, repositories, rules)
        case AskFind():
            return _merged([repository.find(question) for repository in _chosen(repositories, question.repository)], question.limit)
        case AskHistory():
            return _merged([repository.history(question) for repository in _chosen(repositories, question.repository)], question.limit)
        case AskChangePoints():
            return change(question, _chosen(repositories, question.repository))
        case AskExplain():
            return explain(question, _chosen(repositories, question.repository), rules)
        case AskArchive():
            return told_archive(question, _chosen(repositories, question.repository), rules)
        case AskArchiveHold():
            return change_hold(question, _chosen(repositories, question.repository), rules)
        case AskRepositoryEnv():
            return repositories.environment(question.repository)
        case AskJudgeAnomaly():
            return judge_anomaly(question, repositories.opened())
        case AskPause():
            return _pause(question, repositories.named(question.repository))
        case _:
            raise UsageError(f"a store worker has no answer to {type(question).__name__}", hint="ask the node's agent")


def _status(repositories: Repositories, rules: Rules | None, drills: DrillBook) -> NodeStatus:
    opened = {repository.id: repository for repository in repositories.opened()}
    statuses = []
    for status in repositories.statuses():
        repository = opened.get(status.id)
        # One that cannot be read has said so already.
        if repository is not None and status.error is None:
            told = drills.statuses(repository, rules)
            status = msgspec.structs.replace(status, drills=told, anomalies=repository.care.anomalies.all())
        statuses.append(status)
    return NodeStatus(
        node=rules.node_name if rules else "",
        generation=rules.generation if rules else 0,
        repositories=tuple(statuses),
        findings=(
            *time_findings(repositories),
            *alarm_findings(repositories),
            *held_findings(repositories),
            *drill_findings(statuses),
            *anomaly_findings(statuses),
            *room_findings(statuses, repositories.rooms.now),
        ),
    )


def _differences(question: AskDiff, repositories: Repositories, rules: Rules | None) -> Differences:
    (before, a), (after, b) = find_point(repositories, question.a), find_point(repositories, question.b)
    partly = (*_partly(rules, before, a, question.path), *_partly(rules, after, b, question.path))
    return msgspec.structs.replace(before.differences(a, after, b, question), partly=tuple(dict.fromkeys(partly)))


def _listing(question: AskListing, repository: Repository, rules: Rules | None) -> Listings:
    found = repository.listing(question)
    return found if found.point is None else msgspec.structs.replace(found, partly=_partly(rules, repository, found.point, question.path))


def _partly(rules: Rules | None, repository: Repository, point: Point, path: bytes) -> tuple[Finding, ...]:
    found = None if rules is None else how_much_is_here(rules, repository.id, point, (path,) if path else ())
    return () if found is None else (found,)


def _pause(question: AskPause, repository: Repository) -> PauseTold:
    if question.look:
        return PauseTold(repository=repository.name, pause=repository.paused)
    changed = repository.pause(question.for_s, question.by) if question.paused else repository.resume()
    return PauseTold(repository=repository.name, pause=repository.paused, changed=changed)


def _chosen(repositories: Repositories, name: str) -> tuple[Repository, ...]:
    return (repositories.named(name),) if name else repositories.opened()


def _points(question: AskPoints, repositories: Repositories) -> Points:
    found = [point for repository in _chosen(repositories, question.repository) for point in repository.points(question.dataset)]
    found = [point for point in found if point.bears(question.tag)]
    return Points(points=tuple(sorted(found, key=lambda point: (point.time, point.repository, point.operation))))


def _at(question: AskMoment, repositories: Repositories) -> list[tuple[Repository, Point]]:
    """Raises `UnknownName` when none has any, or what else the first says against it."""
    found: list[tuple[Repository, Point]] = []
    missing: UsageError | None = None
    for repository in _chosen(repositories, question.repository):
        try:
            if question.versions:
                found.append((repository, repository.versions(question.dataset)))
            elif question.archive:
                found.append((repository, repository.archived(question.dataset)))
            else:
                found.append((repository, repository.point_at(question.dataset, question.at, question.before_deletion, question.refusal)))
        except UsageError as error:
            missing = missing or error
    if not found:
        raise missing or UnknownName(f"no point of {question.dataset!r} here", hint="this machine has no repository that can be read now")
    return found


def _moments(question: AskMoments, repositories: Repositories) -> Moments:
    """Of several repositories, each moment once."""
    moments: dict[str, Moment] = {}
    gaps: dict[Gap, None] = {}
    more = False
    oldest: list[datetime] = []
    for repository in _chosen(repositories, question.repository):
        oldest += [at] if (at := repository.oldest_moment(question.dataset)) is not None else []
        found = repository.moments(question.dataset, question.since, question.until, question.limit + 1)
        more |= len(found) > question.limit
        moments |= {moment.address: moment for moment in found}
        gaps |= dict.fromkeys(repository.gaps(question.dataset, question.since, question.until))
    newest = sorted(moments.values(), key=lambda moment: (moment.time, moment.seq), reverse=True)
    told = tuple(sorted(gaps, key=lambda gap: (gap.until, gap.since)))
    cut = more or len(newest) > question.limit
    return Moments(moments=tuple(newest[: question.limit]), gaps=told, more=cut, oldest_at=min(oldest, default=None))


def _listing_at(question: AskListing, repositories: Repositories, rules: Rules | None) -> Listings:
    """From the repository that has the newest point at the time; copies of one point are equal. Raises `UnknownName` when none has one."""
    answers: list[Listings] = []
    missing: UnknownName | None = None
    for repository in _chosen(repositories, question.repository):
        try:
            answers.append(_listing(question, repository, rules))
        except UnknownName as error:
            missing = missing or error
    if not answers:
        raise missing or UnknownName(f"no point of {question.dataset!r} here", hint="this machine has no repository that can be read now")
    return max(answers, key=listed_age)


def _merged(answers: list[Listings], limit: int) -> Listings:
    rows = [row for found in answers for row in found.rows]
    return Listings(rows=tuple(rows[:limit]), more=len(rows) > limit or any(found.more for found in answers))
