"""What is where, now: questions put to the owners at once, their answers merged. Who did not answer is named, never left out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import msgspec

from holdfast.core.errors import HoldfastError, NotReachable, UnknownName, UsageError, error_from
from holdfast.core.ids import NodeId, RepositoryId
from holdfast.master.answers.comparing import Comparison, FarSide, newest
from holdfast.master.answers.cursors import SealedCursors
from holdfast.master.answers.found import (
    ChangedPoints,
    Explained,
    FoundDifferences,
    FoundHits,
    FoundMirrors,
    FoundMoments,
    FoundPoints,
    FoundRows,
    Unreachable,
)
from holdfast.master.answers.mirror_states import ask_mirrors, mirror_rows, places_in_mirror
from holdfast.master.answers.refused_sources import refusal_at_source
from holdfast.master.answers.wanted_points import may_mean_several, one_id, who_has_the_rest
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.records import inventory
from holdfast.master.records.inventory import Node
from holdfast.master.rules.deployment import Deployment, deployment
from holdfast.model.differences import AskDiff, Differences
from holdfast.model.doctor import AskDoctor, Examined
from holdfast.model.explanations import AskExplain, Explanations, MirrorCopy
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing, AskPoints, Listings, Points, listed_age
from holdfast.model.mirrors import title_of
from holdfast.model.moments import AskMoment, AskMoments, Moments, is_address
from holdfast.model.never_kept import never_kept
from holdfast.model.point_changes import AskChangePoints, PointsChanged, check_change, refuse_what_stays
from holdfast.model.points import whole_copies
from holdfast.model.questions import Question
from holdfast.model.rules import RepositoryRule
from holdfast.model.sampling import AskFolders, AskSample, Folders, Sample
from holdfast.model.search import check_search
from holdfast.model.searching import AskSearch, FoundHere, decode_cursor, page_of
from holdfast.model.sight import SEES_ALL, Reach, Sight

ANSWER_TIMEOUT_S = 10.0
SAMPLE_TIMEOUT_S = 20.0
DOCTOR_TIMEOUT_S = 45.0
A = TypeVar("A")


@dataclass(frozen=True)
class _Owner:
    node: Node
    repositories: tuple[RepositoryRule, ...]


class Queries:
    def __init__(self, base: Foundation, hub: Hub) -> None:
        self._base = base
        self._hub = hub
        self._cursors = SealedCursors(base.entropy)

    async def points(self, dataset: str = "", repository: str = "", sight: Sight = SEES_ALL, tag: str = "") -> FoundPoints:
        """Raises `UnknownName` for a repository that no active flow uses."""
        owners = await self._owners(repository, sight)
        answers, unreachable = await self._ask(owners, AskPoints(dataset=dataset, repository=repository, tag=tag), Points)
        points = sorted(
            (p for answer in answers for p in answer.points if sight.has_copy(p.dataset_id, p.repository) and p.bears(tag)),
            key=lambda p: (p.time, p.repository),
        )
        return FoundPoints(points=tuple(points), unreachable=unreachable)

    async def moment(self, ask: AskMoment, sight: Sight = SEES_ALL) -> FoundPoints:
        """What a dataset was at a time: of each repository its newest point or moment, or its older versions of single files."""
        sight.check_asked(ask.dataset, ask.repository)
        rolled_out = await self._base.database.run(deployment)
        if ask.before_deletion:
            ask = msgspec.structs.replace(ask, refusal=await refusal_at_source(self._hub, rolled_out, ask.dataset))
        answers, gaps = await self._ask(owners_of(rolled_out, ask.repository, sight), ask, Points)
        found = tuple(point for answer in answers for point in answer.points if sight.has_copy(point.dataset_id, point.repository))
        if not found:
            _raise_refusal(gaps)
        return FoundPoints(points=found, unreachable=_silent(gaps), refusal=ask.refusal)

    async def moments(self, ask: AskMoments, sight: Sight) -> FoundMoments:
        """Of all repositories together, each moment and gap once."""
        sight.check_asked(ask.dataset, ask.repository)
        answers, unreachable = await self._ask(await self._owners(ask.repository, sight), ask, Moments)
        moments = {moment.address: moment for answer in answers for moment in answer.moments}
        newest = sorted(moments.values(), key=lambda moment: (moment.time, moment.seq), reverse=True)
        gaps = sorted({gap for answer in answers for gap in answer.gaps}, key=lambda gap: (gap.until, gap.since))
        more = len(newest) > ask.limit or any(answer.more for answer in answers)
        oldest = min((answer.oldest_at for answer in answers if answer.oldest_at is not None), default=None)
        cut = tuple(newest[: ask.limit])
        return FoundMoments(moments=cut, gaps=tuple(gaps), more=more, oldest_at=oldest, unreachable=unreachable)

    async def listing(self, ask: AskListing, sight: Sight) -> FoundRows:
        """The same point may lie in several repositories; the first that has all of it answers. Of a dataset at a time, the one with the
        newest point. Raises `UnknownName` when none has it or several points begin so, `UsageError` when neither or both are named."""
        if bool(ask.point) == bool(ask.dataset):
            raise UsageError("name either a point or a dataset", hint="`holdfast points` lists both")
        ask = msgspec.structs.replace(ask, point=await self._one_id(ask.point, sight, ask.repository))
        rolled_out = await self._base.database.run(deployment)
        answers, unreachable = await self._ask(owners_of(rolled_out, ask.repository, sight), ask, Listings)
        if answers := whole_copies([each for each in answers if _is_listed(each, sight)], lambda each: each.point):
            is_point = bool(ask.point) and not is_address(ask.point)
            found = min(answers, key=lambda answer: len(answer.lost)) if is_point else max(answers, key=listed_age)
            silent = who_has_the_rest(rolled_out, unreachable, (found.point,), ask.path) if is_point else _silent(unreachable)
            return FoundRows(rows=found.rows, more=found.more, point=found.point, lost=found.lost, unreachable=silent, gaps=found.gaps)
        raise _nowhere(ask.point or ask.dataset, unreachable)

    async def differences(self, ask: AskDiff, sight: Sight) -> FoundDifferences:
        """By an owner that has both: of points the one that can read most, of moments the one with the newest. Where none has both, by
        listings. Raises `UnknownName`, also where several points begin so, or what keeps the owner that has both from it."""
        ask = msgspec.structs.replace(ask, a=await self._one_id(ask.a, sight), b=await self._one_id(ask.b, sight))
        rolled_out = await self._base.database.run(deployment)
        answers, unreachable = await self._ask(owners_of(rolled_out, "", sight), ask, Differences)
        answers = [each for each in answers if all(sight.has_copy(side.dataset_id, side.repository) for side in (each.a, each.b))]
        answers = whole_copies(whole_copies(answers, lambda each: each.a), lambda each: each.b)
        are_points = not is_address(ask.a) and not is_address(ask.b)
        if not answers:
            old, new = await asyncio.gather(self._far_sides(ask.a, sight), self._far_sides(ask.b, sight))
            if both := {old[owner].node for owner in old.keys() & new.keys()}:
                raise _nowhere(f"{ask.a} and {ask.b}", tuple(gap for gap in unreachable if gap.node in both))
            a, b = newest(old.values()), newest(new.values())
            told = await Comparison((a, b), ask).page()
            silent = who_has_the_rest(rolled_out, unreachable, (a.point, b.point), ask.path) if are_points else _silent(unreachable)
            return FoundDifferences(rows=told.rows, a=a.point, b=b.point, more=told.more, lost=told.lost, unreachable=silent, by=told.by)
        found = max(answers, key=lambda each: (each.a.time, each.a.seq, each.b.time, each.b.seq, -len(each.lost)))
        silent = who_has_the_rest(rolled_out, unreachable, (found.a, found.b), ask.path) if are_points else _silent(unreachable)
        return FoundDifferences(
            rows=found.rows, a=found.a, b=found.b, more=found.more, totals=found.totals, lost=found.lost, unreachable=silent
        )

    async def _far_sides(self, named: str, sight: Sight) -> dict[NodeId, FarSide]:
        """What there is by this name, by its owner, who is believed of its own repositories alone. Raises `UnknownName`, `NotReachable`."""
        owners = await self._owners("", sight)
        asked = AskListing(point=named, limit=1)
        told = await asyncio.gather(*(self._ask((owner,), asked, Listings) for owner in owners))
        found = {}
        for owner, (answers, _) in zip(owners, told, strict=True):
            for point in (each.point for each in answers if _is_listed(each, sight)):
                if point is not None and point.repository in [rule.name for rule in owner.repositories]:
                    found[owner.node.id] = FarSide(point, owner.node.name, partial(self._listing_of, owner.node))
        if not found:
            raise _nowhere(named, tuple(gap for _, gaps in told for gap in gaps))
        return found

    async def _listing_of(self, node: Node, ask: AskListing) -> Listings:
        return await self._hub.ask_for(node.id, ask, Listings, ANSWER_TIMEOUT_S)

    async def history(self, ask: AskHistory, sight: Sight) -> FoundRows:
        """Raises `UnknownName` where everybody answered and nobody knows the path."""
        found = await self.rows(ask, sight)
        if not found.rows and not found.unreachable:
            raise never_kept(ask.path, ask.dataset)
        return found

    async def rows(self, ask: AskFind | AskHistory, sight: Sight) -> FoundRows:
        ask = msgspec.structs.replace(ask, within=sight.within)
        answers, unreachable = await self._ask(await self._owners(ask.repository, sight), ask, Listings)
        rows = tuple(row for answer in answers for row in answer.rows if sight.has_copy(row.dataset, row.repository))
        return FoundRows(rows=rows, more=any(answer.more for answer in answers), unreachable=unreachable)

    async def search(self, ask: AskSearch, cursor: str, sight: Sight) -> FoundHits:
        """The next page behind a cursor of the one before (empty = the first). Raises `UsageError`, or `UnknownName` for a repository."""
        check_search(ask.search)
        # A cursor bears the name that was looked at last, which may be of a file that the caller is not to know of.
        before = decode_cursor(cursor if sight.everything else self._cursors.opened(cursor))
        ask = msgspec.structs.replace(ask, places=before, within=sight.within)
        owners = await self._owners(ask.repository, sight)
        answers, unreachable = await self._ask(owners, ask, FoundHere)
        nodes = {rule.id: owner.node.name for owner in owners for rule in owner.repositories}
        parts = [part for answer in answers for part in answer.parts]
        failed = [
            Unreachable(repository=part.repository, node=nodes.get(RepositoryId(part.id), ""), error=part.error)
            for part in parts
            if part.error is not None
        ]
        page = page_of(parts, before, ask.limit)
        hits = tuple(hit for hit in page.hits if sight.has_copy(hit.dataset, hit.repository))
        following = page.cursor if sight.everything else self._cursors.sealed(page.cursor)
        return FoundHits(hits=hits, cursor=following, unreachable=(*unreachable, *failed))

    async def change_points(self, ask: AskChangePoints, reach: Reach) -> ChangedPoints:
        """In every repository that has the points: asked first what would become of them, so that of points that were named all change or
        none. Raises `UnknownName` for one that nobody has, or what an owner refuses with."""
        check_change(ask.change)
        # An owner that lacks one of them must change the others all the same.
        ask = msgspec.structs.replace(ask, partly=True)
        owners = await self._owners(ask.repository, reach.sees.joined(reach.may))
        if not reach.may.everything:
            # Whose points these are is asked before anybody puts on record that they were to change.
            looked, _ = await self._ask(owners, msgspec.structs.replace(ask, dry_run=True, is_meant=False), PointsChanged)
            for point in (change.point for answer in looked for change in answer.changes):
                reach.check_copy(point.dataset_id, point.dataset, point.repository)
        # The owner of a point that stays puts on record that somebody wanted it gone; of a dataset it does so when it lets the rest go.
        plan = msgspec.structs.replace(ask, dry_run=True, is_meant=not ask.dry_run and not ask.dataset)
        planned, gaps = await self._ask(owners, plan, PointsChanged)
        _raise_refusal(gaps)
        if not planned:
            raise _nowhere(ask.dataset or ", ".join(ask.points), gaps)
        _raise_unknown(planned, gaps)
        if not ask.dry_run:
            if not ask.dataset:
                refuse_what_stays([change for answer in planned for change in answer.changes])
            planned, gaps = await self._ask(owners, ask, PointsChanged)
            _raise_refusal(gaps)
        changes = tuple(change for answer in planned for change in answer.changes)
        return ChangedPoints(changes=changes, unreachable=_silent(gaps), dry_run=ask.dry_run)

    async def explain(self, ask: AskExplain, sight: Sight) -> Explained:
        """What keeps a version, in every repository, and mirrors of its datasets. Raises `UnknownName` for a repository that is none."""
        rolled_out = await self._base.database.run(deployment)
        answers, gaps = await self._ask(owners_of(rolled_out, ask.repository, sight), ask, Explanations)
        rows = tuple(row for answer in answers for row in answer.rows if sight.has_copy(row.dataset_id, row.repository))
        datasets = {row.dataset_id for row in rows}
        mirrors = tuple(
            MirrorCopy(
                node=node.name,
                path=path,
                online=online,
                name=title_of(state, node.name),
                stands_at=state.stand.captured_at if state.stand is not None else None,
            )
            for node, state, online in await ask_mirrors(self._hub, rolled_out)
            # Where no repository answers, a mirror may be the only copy alive.
            if (state.dataset_id in datasets if rows else ask.dataset in ("", state.dataset, state.dataset_id))
            if sight.has_dataset(state.dataset_id)
            for path in places_in_mirror(state, ask.path)
        )
        return Explained(rows=rows, mirrors=mirrors, unreachable=_silent(gaps))

    async def mirrors(self, dataset: str, sight: Sight) -> FoundMirrors:
        """Where they stand; of one dataset (label or id), or of all."""
        rows = await mirror_rows(self._hub, await self._base.database.run(deployment), dataset)
        return FoundMirrors(mirrors=tuple(row for row in rows if sight.has_dataset(row.dataset)))

    async def sample(self, node: str, ask: AskSample) -> Sample:
        """Put to one machine, by name or id; a machine needs no rules for it. Raises `UnknownName`, `NotReachable`, `OutsideLimits`."""
        asked = await self._base.database.run(lambda s: inventory.named_node(s, node))
        return await self._hub.ask_for(asked.id, ask, Sample, SAMPLE_TIMEOUT_S)

    async def doctor(self, node: str) -> Examined:
        """Put to one machine, by name or id. Raises `UnknownName`, `NotReachable`."""
        asked = await self._base.database.run(lambda s: inventory.named_node(s, node))
        return await self._hub.ask_for(asked.id, AskDoctor(), Examined, DOCTOR_TIMEOUT_S)

    async def folders(self, node: str, ask: AskFolders) -> Folders:
        """As `sample`."""
        asked = await self._base.database.run(lambda s: inventory.named_node(s, node))
        return await self._hub.ask_for(asked.id, ask, Folders, SAMPLE_TIMEOUT_S)

    async def _one_id(self, named: str, sight: Sight, repository: str = "") -> str:
        """The whole id of the point that begins so; what it may be else is the owners' to say. Raises `UnknownName` where several do: an
        owner knows its own points alone."""
        if not may_mean_several(named):
            return named
        return one_id(await self.points(repository=repository, sight=sight), named)

    async def _owners(self, repository: str, sight: Sight) -> tuple[_Owner, ...]:
        return owners_of(await self._base.database.run(deployment), repository, sight)

    async def _ask(self, owners: tuple[_Owner, ...], question: Question, kind: type[A]) -> tuple[list[A], tuple[Unreachable, ...]]:
        """Answers in the owners' order, and a gap for each repository whose owner gave none or an error."""
        asked = (self._answer(owner, question, kind) for owner in owners)
        answers: list[A] = []
        gaps: list[Unreachable] = []
        for owner, answer in zip(owners, await asyncio.gather(*asked), strict=True):
            if isinstance(answer, HoldfastError):
                facts = answer.facts()
                gaps.extend(Unreachable(repository=r.name, node=owner.node.name, error=facts) for r in owner.repositories)
            else:
                answers.append(answer)
        return answers, tuple(gaps)

    async def _answer(self, owner: _Owner, question: Question, kind: type[A]) -> A | HoldfastError:
        try:
            answer = await self._hub.ask_for(owner.node.id, question, kind, ANSWER_TIMEOUT_S)
        except HoldfastError as error:
            return error
        if isinstance(answer, Points):
            own = {rule.name for rule in owner.repositories}  # By what a point names orders are signed.
            return msgspec.structs.replace(answer, points=tuple(point for point in answer.points if point.repository in own))
        return answer


def owners_of(rolled_out: Deployment, repository: str, sight: Sight) -> tuple[_Owner, ...]:
    """Nodes that own repositories, or the one that owns this, as far as there is anything to see in them; raises `UnknownName`."""
    if repository:
        if not sight.everything:
            sight.check_part_of(repository)
        node, rule = rolled_out.repository(repository)
        return (_Owner(node, (rule,)),)
    owned: dict[str, list[RepositoryRule]] = {}
    for node, rule in rolled_out.repositories():
        if sight.has_part_of(rule.name):
            owned.setdefault(node.id, []).append(rule)
    return tuple(_Owner(node, tuple(owned[node.id])) for node in rolled_out.nodes.values() if node.id in owned)


def _is_listed(listing: Listings, sight: Sight) -> bool:
    """An owner says which point it listed."""
    point = listing.point
    return sight.everything or (point is not None and sight.has_copy(point.dataset_id, point.repository))


def _raise_refusal(gaps: tuple[Unreachable, ...]) -> None:
    for gap in gaps:
        if gap.error.code not in (UnknownName.code, NotReachable.code):
            raise error_from(gap.error)


def _raise_unknown(planned: Sequence[PointsChanged], gaps: tuple[Unreachable, ...]) -> None:
    """Raises for the first name that means nothing to any owner."""
    first, *others = planned
    for name, error in first.unknown:
        if all(name in dict(each.unknown) for each in others):
            silent = [gap for gap in gaps if gap.error.code == NotReachable.code]
            raise _nowhere(name, tuple(silent)) if silent else error_from(error)


def _silent(gaps: tuple[Unreachable, ...]) -> tuple[Unreachable, ...]:
    """Those that might have more; an owner that does not know a name has answered."""
    return tuple(gap for gap in gaps if gap.error.code != UnknownName.code)


def _nowhere(point: str, gaps: tuple[Unreachable, ...]) -> HoldfastError:
    """Why no owner could list a point: nobody has it, or somebody who might did not answer, or an owner's own error.
    An owner that has not got it names it in its error; one that has it, and misses something in it, knows better."""
    if error := next((gap.error for gap in gaps if gap.error.code not in (UnknownName.code, NotReachable.code)), None):
        return error_from(error)
    if silent := ", ".join(f"{gap.repository} on {gap.node}" for gap in gaps if gap.error.code == NotReachable.code):
        return NotReachable(f"no repository that answers has {point!r}; silent: {silent}", hint="`holdfast nodes` shows who is offline")
    better = next((gap.error for gap in gaps if not gap.error.context.keys() & {"point", "dataset"}), None)
    unknown = UnknownName(f"there is no point {'of ' * ('/' in point)}{point!r}", hint="`holdfast points` lists them", point=point)
    return unknown if better is None else error_from(better)
