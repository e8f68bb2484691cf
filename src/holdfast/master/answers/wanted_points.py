"""Which point somebody means, and which of its copies have what is wanted of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from holdfast.core.errors import NotReachable, UnknownName
from holdfast.core.units import format_utc
from holdfast.master.answers.found import FoundPoints, Unreachable
from holdfast.master.rules.deployment import Deployment
from holdfast.model.entry import display_path
from holdfast.model.moments import is_address
from holdfast.model.points import Point, newest_of, paths_of_point, whole_copies
from holdfast.model.refusals import Refusal
from holdfast.model.roots import normal_roots
from holdfast.model.subsets import holds_all, part_of

WHOLE_ID = 32
"""So long is the id of a point of ours; who writes less may mean several."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to see: a point by id or unique prefix, a moment by its address, or the newest point or moment of `dataset` at or
    before `at` (None = newest of all).

    `before_deletion` in place of `at`: as it was before this path was deleted. `node` empty = the machine the data came from.
    `repository`: only from this copy, of a restore also a mirror (NODE:FOLDER). `refusal`: of the source, found with what was before a
    deletion.
    """

    point: str = ""
    dataset: str = ""
    at: datetime | None = None
    before_deletion: bytes = b""
    node: str = ""
    repository: str = ""
    refusal: Refusal | None = None


def matching(found: FoundPoints, wish: Wanted, paths: Sequence[bytes] = ()) -> list[Point]:
    """All copies of the one point that the wish means, but for those that are only a part of another and lack some of `paths` (none =
    everything). Raises `UnknownName` when there is none, or a prefix fits several, `NotReachable` where nobody who answers has one and
    somebody did not."""
    if wish.point:
        if len(wish.point) < 4:
            raise UnknownName(f"{wish.point!r} is too short for a point", hint="give at least 4 characters; `holdfast points` lists them")
        whole = one_id(found, wish.point)
        copies = [point for point in found.points if point.id == whole]
    else:
        copies = _newest(found.points, wish.at)
    if not copies and (silent := _listed(gap for gap in found.unreachable if gap.error.code != UnknownName.code)):
        raise NotReachable(f"no repository that answers has a {described(wish)}; silent: {silent}", hint="try again when it answers")
    if not copies:
        raise UnknownName(f"there is no {described(wish)}", hint="`holdfast points` lists what there is")
    return whole_copies(copies, lambda point: point, paths_of_point(paths))


def _newest(points: Sequence[Point], at: datetime | None) -> list[Point]:
    some = [point for point in points if at is None or point.time <= at]
    if not some:
        return []
    newest = newest_of(some) if at is None else max(some, key=lambda p: (p.time, p.seq, p.id))
    return [point for point in some if point.id == newest.id]


def described(wish: Wanted) -> str:
    if wish.point:
        return f"point {wish.point!r}"
    if wish.before_deletion:
        return f"state of {wish.dataset!r} that has {display_path(wish.before_deletion)}"
    return f"point of {wish.dataset!r}" + (f" at or before {format_utc(wish.at)}" if wish.at else "")


def may_mean_several(named: str) -> bool:
    """Whether it is the beginning of an id, neither all of one nor an address of a moment."""
    return bool(named) and not is_address(named) and len(named) < WHOLE_ID


def one_id(found: FoundPoints, named: str) -> str:
    """The id of the one point that begins so, as it is where none does. Raises `UnknownName` where several do, wherever they lie."""
    ids = {point.id for point in found.points if point.id.startswith(named)}
    if len(ids) > 1:
        raise UnknownName(f"several points begin with {named!r}", hint="write more of the id", point=named)
    return next(iter(ids), named)


def lacking(rolled_out: Deployment, found: FoundPoints, point: Point, paths: Sequence[bytes] = ()) -> tuple[str, ...]:
    """What of `paths` (none = everything) this copy has not got, because it is a part of the point (`only`): of the folders that the rules
    capture now. A point that is older than one of them is no part: others of its epoch have that folder."""
    roots = paths_of_point(_roots(rolled_out, point))
    wanted = part_of(roots, paths_of_point(paths))
    if not roots or not point.paths or holds_all(point.paths, roots):
        return ()
    if any((each.dataset_id, each.epoch) == (point.dataset_id, point.epoch) and holds_all(each.paths, roots) for each in found.points):
        return ()
    return tuple(path for path in wanted if not holds_all(point.paths, [path]))


def with_all(rolled_out: Deployment, found: FoundPoints, copies: list[Point], paths: Sequence[bytes]) -> list[Point]:
    """Those copies that have all of `paths` (none = everything); all of them where none has. Raises `NotReachable` where none has and an
    owner that may have the whole is silent: what is missing would be missed when it is needed."""
    lacks = [lacking(rolled_out, found, copy, paths) for copy in copies]
    silent = silent_owners(rolled_out, found.unreachable, copies[0])
    if silent and all(lacks):
        have = copies[0]
        raise NotReachable(
            f"{have.repository} has only a part of point {have.id[:8]} of {have.dataset}, without {', '.join(lacks[0])};"
            f" silent: {_listed(silent)}",
            hint=f"wait until it answers, name paths below {', '.join(have.paths)}, or take what there is with --from {have.repository}",
            point=have.id,
        )
    return [copy for copy, lack in zip(copies, lacks, strict=True) if not lack] or copies


def silent_owners(rolled_out: Deployment, gaps: Iterable[Unreachable], point: Point) -> tuple[Unreachable, ...]:
    """Repositories that keep the dataset of this point and of which nobody answered."""
    return tuple(gap for gap in gaps if gap.error.code != UnknownName.code and _keeps(rolled_out, gap.repository, point))


def who_has_the_rest(
    rolled_out: Deployment, gaps: Sequence[Unreachable], points: Iterable[Point | None], path: bytes
) -> tuple[Unreachable, ...]:
    """Owners that gave no answer and may have what these points, which others answered with, lack of what was asked for."""
    nobody = FoundPoints(points=())
    parts = (point for point in points if point is not None and lacking(rolled_out, nobody, point, (path,) if path else ()))
    return tuple({gap.repository: gap for part in parts for gap in silent_owners(rolled_out, gaps, part)}.values())


def _keeps(rolled_out: Deployment, repository: str, point: Point) -> bool:
    owner, rule = rolled_out.repository(repository)
    return any(receive.dataset == point.dataset_id for receive, _ in rolled_out.rules[owner.id].stored_in(rule.id))


def _roots(rolled_out: Deployment, point: Point) -> tuple[bytes, ...]:
    rules = (rule for rules in rolled_out.rules.values() for rule in rules.datasets if rule.id == point.dataset_id)
    return next((normal_roots(rule.classification.paths) for rule in rules), ())


def _listed(gaps: Iterable[Unreachable]) -> str:
    return ", ".join(f"{gap.repository} on {gap.node}" for gap in gaps)
