"""The repository as its owner's node uses it: create, open, then sessions and questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NotRequired, TypedDict, Unpack

from msgspec.structs import replace

from holdfast.backend.backend import Backend
from holdfast.backend.grouping import GroupedSaves
from holdfast.backend.owner import Ownable
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import HoldfastError, RepositoryDamaged, RepositoryLocked
from holdfast.core.ids import DatasetId, NodeId, RepositoryId
from holdfast.delivery.ports import Action
from holdfast.model import rules
from holdfast.model.adoption import SnapshotGroup
from holdfast.model.change import Cursor
from holdfast.model.differences import AskDiff, Differences
from holdfast.model.explanations import Explanation
from holdfast.model.gaps import Gap
from holdfast.model.jobs import Finding
from holdfast.model.listing_questions import AskFind, AskHistory, AskListing, Listings
from holdfast.model.maintenance import Report
from holdfast.model.moments import Moment, is_address, is_lineage_address, parse_address
from holdfast.model.pausing import Pause
from holdfast.model.point_changes import ChangedPoint, PointChange
from holdfast.model.points import Point
from holdfast.model.reading import PointReader
from holdfast.model.refusals import Refusal
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.searching import AskSearch, Place
from holdfast.model.stream import Outgoing
from holdfast.repository._format.keys import Scrypt as Scrypt
from holdfast.repository.adopting import Binding, bind, groups_of, settle_bindings
from holdfast.repository.answers.deletion import before_deletion
from holdfast.repository.answers.diffing import Diffs, DiffSide
from holdfast.repository.answers.explaining import explain
from holdfast.repository.answers.forwarding import Totals, outgoing_point, totals_in
from holdfast.repository.answers.questions import find, history, list_at, list_point
from holdfast.repository.answers.reading import TreeReader
from holdfast.repository.answers.search_paths import Found, search_paths
from holdfast.repository.archiving.archive import Archive
from holdfast.repository.care.care import Care, silent
from holdfast.repository.care.checking import Watch
from holdfast.repository.care.copies import OwnCopy
from holdfast.repository.care.healing import BlobCopy
from holdfast.repository.catalog.database import open_catalog
from holdfast.repository.continuous import moments
from holdfast.repository.continuous.continuous import Continuous
from holdfast.repository.continuous.following import FollowingAction
from holdfast.repository.creating import create_repository as create_repository
from holdfast.repository.creating import unlock as unlock
from holdfast.repository.damage_met import Read, read_of
from holdfast.repository.interior import Interior
from holdfast.repository.lock_record import LockRecord
from holdfast.repository.packs.storage import Storage
from holdfast.repository.past_state import PastState
from holdfast.repository.points import point_lookup
from holdfast.repository.points.point_changes import Chosen, change_points, settle_revisions
from holdfast.repository.points.store_action import OnPoints
from holdfast.repository.pruning.index_joining import IndexJoining
from holdfast.repository.pruning.prune import Prune, PruneOrder
from holdfast.repository.quarantine import Met, Quarantine
from holdfast.repository.trusted_time import TrustedTime
from holdfast.repository.vanished import Vanished

_CATALOG = "catalog.db"


class Setup(TypedDict):
    """How to open a repository. `wait` is how the 200 ms of the lock protocol pass (seconds); the default sleeps."""

    name: str
    repository_id: RepositoryId
    password: str
    clock: Clock
    entropy: Entropy
    wait: NotRequired[Callable[[float], object]]


def open_repository(backend: Backend, home: Path, **setup: Unpack[Setup]) -> Repository:
    """Open with `name, repository_id, password, clock, entropy`. `home` holds the catalog; missing or damaged, it is built anew.

    Raises `RepositoryMissing`, `WrongPassword`, `RepositoryDamaged`.
    """
    key, config = unlock(backend, setup["password"])
    if isinstance(backend, GroupedSaves):
        backend.remove_strays()
    storage = Storage(backend, key, setup["clock"], setup["entropy"])
    wait = setup.get("wait", time.sleep)
    quarantine = Quarantine(home, config.id)
    for last_try in (False, True):
        interior = Interior(setup["name"], storage, open_catalog(home / _CATALOG, config.id), wait, LockRecord(home), quarantine)
        try:
            interior.start()
            with suppress(RepositoryLocked):
                settle_revisions(interior)
                settle_bindings(interior)
            return Repository(interior, setup["repository_id"], home, config.id)
        except BaseException:
            again = interior.catalog.damaged and not last_try
            interior.stop()
            if not again:
                backend.close()
                raise
    raise AssertionError("the last try ends one way or the other")


class Repository:
    """An open repository; one object per repository and process, for use from several threads."""

    def __init__(self, interior: Interior, repository_id: RepositoryId, home: Path, config_id: str) -> None:
        self._interior = interior
        self._id = repository_id
        self._diffs = Diffs()
        self._continuous = Continuous(interior, home)
        self._continuous.recover()
        self.archive = Archive(interior, self._continuous.seal)
        self._joining = IndexJoining(interior)
        self._care = Care(interior, home, config_id, self._continuous.seal_if_possible, self._continuous.enter_all_again)

    @property
    def id(self) -> RepositoryId:
        return self._id

    @property
    def name(self) -> str:
        return self._interior.name

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What could not be read when the catalog was last brought up to date."""
        return self._interior.refresher.problems

    @property
    def held_problems(self) -> tuple[Finding, ...]:
        """What of the journal was lost, and why sealing fails now."""
        return self._continuous.problems

    def call_datasets(self, labels: Mapping[DatasetId, str]) -> None:
        """What datasets are called from now on, whatever snapshots say."""
        self._interior.commits.called = labels

    def store_action(self, action: rules.StoreAction, receive: rules.Receive, on_points: OnPoints) -> Action:
        """The action of one session. Takes no lock yet; its first call may raise `RepositoryLocked`."""
        return FollowingAction(self._interior, self._continuous, action, receive, on_points)

    def points(self, dataset: str = "") -> tuple[Point, ...]:
        """What restores can start from, newest last. `dataset` is a label or an id; foreign snapshots have a label of host and paths."""
        self._interior.refresh()
        return point_lookup.points(self._interior, dataset)

    def point(self, prefix: str, *, anew: bool = True) -> Point:
        """By the beginning of its id or of its restic snapshot's; raises `UnknownName` when there is none or several. With an address of a
        moment (`continuous.moments`) the newest state at or before it. Without `anew` as is known, with no look at the store."""
        if anew:
            self._interior.refresh()
        if is_address(prefix):
            return moments.moment_at(self._interior, prefix).point
        return point_lookup.point(self._interior, prefix)

    def point_at(self, dataset: str, at: datetime | None, gone: bytes = b"", refusal: Refusal | None = None) -> Point:
        """The newest point or moment of a dataset (label or id) at or before a time, None = of all; or before a path was `gone`."""
        self._interior.refresh()
        at = before_deletion(self._interior, dataset, gone, refusal) if gone else at
        return moments.newest_at(self._interior, dataset, at).point

    def versions(self, dataset: str) -> Point:
        """The older versions of a dataset's (label or id) single files, to be listed and read as a point. Raises `UnknownName`."""
        self._interior.refresh()
        return moments.versions(self._interior, dataset).point

    def archived(self, dataset: str) -> Point:
        """The archived files of a dataset (label or id), to be listed and read as a point. Raises `UnknownName`."""
        self._interior.refresh()
        return moments.archived(self._interior, dataset).point

    def moments(self, dataset: str, since: datetime | None = None, until: datetime | None = None, limit: int = 1_000) -> tuple[Moment, ...]:
        """Every state of a followed dataset (label or id) that can be restored, newest first."""
        self._interior.refresh()
        return moments.moments(self._interior, dataset, since, until, limit)

    def oldest_moment(self, dataset: str) -> datetime | None:
        """Since when every state of a dataset (label or id) can be restored; None where no moments of it are kept."""
        return moments.oldest(self._interior, dataset)

    def gaps(self, dataset: str, since: datetime | None = None, until: datetime | None = None) -> tuple[Gap, ...]:
        """When protection of a dataset (label or id) was not what the rules promise, oldest first."""
        self._interior.refresh()
        return moments.gaps(self._interior, dataset, since, until)

    def listing(self, ask: AskListing) -> Listings:
        """A point's, from its tree; or a dataset's at a time, from the catalog, and the gaps that time lies in. Raises `UnknownName`."""
        interior = self._interior
        if ask.point and not is_address(ask.point):
            point = self.point(ask.point)
            return list_point(interior, self._tree_of(point), point, ask)
        interior.refresh()
        if is_lineage_address(ask.point):
            point, tree, _, _ = moments.moment_at(interior, ask.point)
            return list_point(interior, tree, point, ask)
        dataset, at = parse_address(ask.point) if ask.point else (ask.dataset, ask.at)
        point, tree, number, commit_no = moments.newest_at(interior, dataset, at)
        if number is None or commit_no is None:
            return list_point(interior, tree, point, ask)
        within = moments.gaps(interior, dataset, at, at) if at is not None else ()
        return replace(list_at(interior, number, commit_no, point, ask), gaps=within)

    def differences(self, a: Point, other: Repository, b: Point, ask: AskDiff) -> Differences:
        """What differs between a point or moment here and one in another repository of this process, or in this. Raises `UnknownName`."""
        return self._diffs.between(self._side(a), other._side(b), ask)

    def find(self, ask: AskFind) -> Listings:
        """Foreign snapshots are not searched."""
        self._interior.refresh()
        return find(self._interior, ask)

    def search(self, ask: AskSearch, after: Place | None, expired: Callable[[], bool]) -> Found:
        """Paths behind a place. Waits for nobody who writes, nor for the store. Foreign snapshots are not searched."""
        self._interior.look_soon()
        return search_paths(self._interior, ask, after, expired)

    def history(self, ask: AskHistory) -> Listings:
        """Every version of one path. Foreign snapshots are not searched."""
        self._interior.refresh()
        return history(self._interior, ask)

    def reader(self, point: Point) -> PointReader:
        """Holds the session lock until it is closed. Raises `RepositoryLocked`, `UnknownName` when the point is gone."""
        if point.snapshot:
            return TreeReader(self._interior, self._tree_of(point), read_of(point), total_bytes=point.bytes)
        self._continuous.seal(point.dataset_id)
        placed = moments.moment_at(self._interior, point.id)
        return TreeReader(self._interior, (state := moments.state_of(self._interior, placed)).tree, read_of(placed.point), state)

    def newest(self, dataset: DatasetId) -> tuple[Cursor, PointReader] | None:
        """The newest commit of a dataset, point or not; None when nothing of it is here. Close the reader."""
        self._continuous.seal(dataset)
        self._interior.refresh()
        number = self._interior.catalog.number_of("datasets", dataset)
        if (row := self._interior.commits.newest(number)) is None:
            return None
        return row.cursor, TreeReader(self._interior, row.tree, Read(dataset, self._interior.commits.label(number)))

    def outgoing(self, point: Point, base: Point | None, within: Sequence[str] | None = None) -> Iterator[Outgoing]:
        """What turns `base` (None = nothing) into `point`; see `outgoing_point`. Holds the session lock."""
        return outgoing_point(self._interior, point, (self._tree_of(base) if base is not None else None, self._tree_of(point)), within)

    def totals(self, point: Point, within: Sequence[str]) -> Totals:
        return totals_in(self._interior, point, self._tree_of(point), within)

    def status(self) -> RepositoryStatus:
        """`error` is set when the place cannot be read, or something in it could not."""
        error: HoldfastError | None = None
        place = self._interior.storage.backend
        try:
            points = self.points()
            if isinstance(place, Ownable):
                place.refuse_others()
        except HoldfastError as caught:
            error, points = caught, ()
        if error is None and (first := next(iter(self.problems), None)):
            error = RepositoryDamaged(f"{first.path}: {first.message}", hint=f"run `holdfast repository check {self.name}`")
        stored_bytes, unique_bytes = self._interior.blobs.pack_bytes()
        checked = self._care.last_check
        return RepositoryStatus(
            id=self._id,
            name=self.name,
            location=self._interior.storage.backend.location,
            points=len(points),
            points_bytes=sum(point.bytes for point in points),
            unique_bytes=unique_bytes,
            stored_bytes=stored_bytes,
            newest_at=points[-1].time if points else None,
            checked_at=checked.at if checked else None,
            checked_ok=checked.ok if checked else None,
            checked_data=checked is not None and checked.read_data,
            scrubbed_at=self._care.last_scrub.at,
            scrub_done_ratio=self._care.last_scrub.done_ratio,
            proven_at=self._care.proven_at,
            locks=self._interior.lock.seen(),
            pause=self.paused,
            error=error.facts() if error is not None else None,
        )

    @property
    def care(self) -> Care:
        """Checks, repairs, scrubs."""
        return self._care

    def hear_damage(self, tell: Callable[[tuple[Met, ...]], None]) -> None:
        """What readers meet from now on."""
        self._interior.quarantine.tell = tell

    @property
    def copy(self) -> BlobCopy:
        """This repository as a place to heal another one from."""
        return OwnCopy(self._interior)

    def copy_for(self, senders: Sequence[NodeId]) -> OwnCopy:
        """The same for another owner, cut down to what these nodes have stored."""
        return OwnCopy(self._interior, senders)

    @property
    def vanished(self) -> Vanished:
        """Points that another program has removed."""
        return self._interior.vanished

    @property
    def paused(self) -> Pause | None:
        """None = sessions begin as ever."""
        return (pause := self._interior.pausing.pause) and replace(pause, sessions=self._interior.lock.sessions)

    def pause(self, for_s: float | None = None, by: str = "") -> bool:
        """From now on no session begins; those at work go on to their end. False when that was so already. Raises `OSError`."""
        changed = self._interior.pausing.begin(for_s, by)
        self._continuous.seal_if_possible()
        return changed

    def resume(self) -> bool:
        """False when it was not paused. Raises `OSError`."""
        return self._interior.pausing.end()

    def assert_free(self) -> None:
        """Raises `RepositoryLocked` while another program works alone in it."""
        with self._interior.lock.session():
            pass

    def foreign_groups(self) -> tuple[SnapshotGroup, ...]:
        """What is in it that Holdfast did not make, by host and paths."""
        self._interior.refresh()
        return groups_of(self._interior)

    def bind(self, binding: Binding) -> int:
        """Make foreign snapshots the earlier history of a dataset; gives how many were not yet. Raises `RepositoryLocked`."""
        self._continuous.seal()
        return bind(self._interior, binding)

    def check(self, read_data: bool, watch: Watch = silent) -> tuple[Finding, ...]:
        """Structure of everything, with `read_data` every byte too."""
        self._continuous.seal_if_possible()
        return self._care.check(read_data=read_data, watch=watch)

    @property
    def time(self) -> TrustedTime:
        """The time its points expire by."""
        return self._interior.time

    def change_points(self, chosen: Chosen, change: PointChange, *, dry_run: bool = False) -> tuple[ChangedPoint, ...]:
        """Raises what `point_changes.change_points` raises."""
        if not dry_run:
            self._continuous.seal()
        return change_points(self._interior, chosen, change, dry_run=dry_run)

    def explain(
        self, path: bytes, dataset: str, at: datetime | None, operations: dict[tuple[str, str], rules.StoredOperation]
    ) -> tuple[Explanation, ...]:
        """As `explaining.explain`."""
        return explain(self._interior, path, dataset, at, operations)

    def prune(self, order: PruneOrder, watch: Watch = silent, *, dry_run: bool = False) -> Report:
        """Remove what nothing needs. Raises what `Prune` raises."""
        self._continuous.seal()
        return Prune(self._interior, order, watch).run(dry_run=dry_run)

    def tick(self) -> None:
        """To be called each second or so: what was held for long enough is sealed. Never raises; what fails is in `held_problems`."""
        self._continuous.tick()
        self._joining.tick()

    def seal(self) -> None:
        """All that is held is in the repository when this returns. Raises what the store raises."""
        self._continuous.seal()

    def close(self) -> None:
        self._continuous.close()
        self._interior.close()

    def _side(self, point: Point) -> DiffSide:
        if point.snapshot:
            tree = self._tree_of(point)
            return DiffSide(self._interior, point, tree, lambda: PastState(tree, {}, (tree,)))
        self._interior.refresh()
        placed = moments.moment_at(self._interior, point.id)

        def state() -> PastState:
            self._continuous.seal(point.dataset_id)
            return moments.state_of(self._interior, placed)

        return DiffSide(self._interior, placed.point, placed.tree, state)

    def _tree_of(self, point: Point) -> bytes:
        return point_lookup.placed(self._interior, point).tree
