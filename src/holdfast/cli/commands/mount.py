"""Mounting points as folders, and unmounting them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.client import ApiClient
from holdfast.cli.commands.look import RepositoryOption, say_what_is_partly
from holdfast.cli.commands.recover import say_what_lacks
from holdfast.cli.datasets import naming
from holdfast.cli.home import has_session, load_session, resolve_home
from holdfast.cli.options import HomeOption
from holdfast.cli.output import local_time, note, say
from holdfast.cli.processes import Child, wait_until
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import NotReachable, UnknownName, UsageError
from holdfast.core.units import format_utc, parse_size_bytes, parse_time

if TYPE_CHECKING:
    from holdfast.model.points import Point
    from holdfast.node.local.mounts import PointsHere
    from holdfast.node.local.mounts_elsewhere import Granted
    from holdfast.operations.mount.shelf import View

_READY_S = 60.0
_MOUNTED = "mounted on"
_MASTER_S = 10.0


@dataclass(frozen=True, kw_only=True)
class What:
    """What is to be mounted, as it was typed."""

    point: str
    dataset: str
    at: str
    repository: str

    def options(self) -> list[str]:
        """The point is an argument."""
        given = (("--dataset", self.dataset), ("--at", self.at), ("--repository", self.repository))
        return [word for option, value in given if value for word in (option, value)]


def register(app: typer.Typer) -> None:
    app.command()(mount)
    app.command()(unmount)


def mount(
    arguments: Annotated[list[str], typer.Argument(metavar="[POINT] DIR", help="A point or DATASET@TIME, then an empty folder.")],
    dataset: Annotated[str, typer.Option("--dataset", help="In place of a point: all points of this dataset ...")] = "",
    at: Annotated[str, typer.Option("--at", help="... or only what it was at this time, like 2026-05-01T12:00 or '2h ago'.")] = "",
    repository: RepositoryOption = "",
    allow_other: Annotated[bool, typer.Option("--allow-other", help="Let other users in; they see what file permissions allow.")] = False,
    cache: Annotated[str, typer.Option("--cache", help="Keep so much content in memory, decrypted.")] = "64MiB",
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is mounted; `holdfast unmount DIR` ends it.")] = False,
    home: HomeOption = None,
) -> None:
    """Show points as folders, read-only; with `holdfast login` those of other machines, too. Ends with Ctrl-C, or when unmounted."""
    if len(arguments) > 2:
        raise UsageError(f"{arguments[2]}: one point and one folder can be named", hint="holdfast mount POINT DIR")
    point = arguments[0] if len(arguments) == 2 else ""
    if bool(point) + bool(dataset) > 1 or not (point or dataset or repository):
        raise UsageError("mount what?", hint="holdfast mount POINT DIR, or --dataset D [--at TIME] DIR, or --repository R DIR")
    if at and not dataset:
        raise UsageError("--at goes with --dataset", hint="a point has its time")
    place, folder, kept_bytes = resolve_home(home), Path(arguments[-1]).expanduser().absolute(), parse_size_bytes(cache)
    what = What(point=point, dataset=dataset, at=at, repository=repository)
    if detach:
        options = [*what.options(), "--cache", cache, *(["--allow-other"] if allow_other else [])]
        _detach(place, folder, [*options, "--", *arguments[:-1]])
        return
    with naming(place, dataset):
        view = _view(place, what)
    _serve(folder, view, allow_other, kept_bytes)


def unmount(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where something of Holdfast is mounted.")]) -> None:
    """End a mount. Who is still in it keeps what is open; plain `umount` and `fusermount3 -u` do as well."""
    from holdfast.host.mountpoint import unmount as unmount_now
    from holdfast.operations.mount.edge import KIND

    unmount_now(os.fsencode(folder.expanduser().absolute()), KIND)


def _view(home: Path, what: What) -> View:
    """From this machine's own repositories; what is not in them, from those of other machines, by the Master's order."""
    try:
        return _view_here(home, what)
    except (UnknownName, NotReachable):
        from holdfast.node.config import is_joined

        # Without an identity of its own a machine is nobody to whom an order could be given.
        if not (is_joined(home) and has_session(home)):
            raise
    return _view_elsewhere(home, what)


def _view_here(home: Path, what: What) -> View:
    """Raises `UnknownName` where this machine has nothing of it."""
    from holdfast.node.local.mounts import PointsHere
    from holdfast.operations.mount.shelf import ManyPoints, OnePoint

    clock = SystemClock()
    owner = PointsHere(home=home, repository=what.repository, dataset=what.dataset)
    if what.point or what.at:
        chosen = point_here(owner, what)
        _say_what(chosen)
        say_partly(owner, [chosen])
        return OnePoint(owner, chosen, clock)
    points = owner.points()
    if not points:
        named = f"dataset {what.dataset!r}" if what.dataset else f"repository {what.repository!r}"
        raise UnknownName(f"there is no point of {named} on this machine", hint=_ELSEWHERE)
    say_partly(owner, {(each.repository, each.dataset_id): each for each in points}.values())
    return ManyPoints(owner, clock, points[0].dataset_id if what.dataset else None)


def _view_elsewhere(home: Path, what: What) -> View:
    """Raises `UnknownName` where nobody has it, `NotReachable` without Master or owner."""
    from holdfast.core.ids import DatasetId
    from holdfast.node.config import load_config
    from holdfast.node.local.mounts_elsewhere import PointsElsewhere
    from holdfast.operations.mount.shelf import ManyPoints, OnePoint

    clock, node = SystemClock(), load_config(home).node
    owner = PointsElsewhere(home, node, _Master(home, node, what), clock)
    if what.point or what.at:
        named = owner.named(what.point) if what.point else owner.at(DatasetId(what.dataset), _time(what.at))
        _say_what(named)
        return OnePoint(owner, named, clock)
    points = owner.points()
    if not points:
        missed = f"dataset {what.dataset!r}" if what.dataset else f"repository {what.repository!r}"
        raise UnknownName(f"there is no point of {missed}", hint="`holdfast points` lists what there is")
    return ManyPoints(owner, clock, points[0].dataset_id if what.dataset else None)


class _Master:
    """`node.local.mounts_elsewhere.Granting` over the API, as whoever is logged in."""

    def __init__(self, home: Path, node: str, what: What) -> None:
        self._home, self._node, self._what = home, node, what
        self._told: set[str] = set()

    def points(self) -> Sequence[Point]:
        import msgspec

        from holdfast.model.points import Point

        found = self._client().get("/points", dataset=self._what.dataset, repository=self._what.repository)
        return msgspec.convert(found["points"], tuple[Point, ...])

    def grant(self, *, point: str = "", dataset: str = "", at: datetime | None = None) -> Granted:
        import msgspec

        from holdfast.node.local.mounts_elsewhere import Granted

        when = format_utc(at) if at is not None else ""
        asked = {"point": point, "dataset": dataset, "at": when, "node": self._node, "repository": self._what.repository}
        granted = self._client().post("/mounts", asked)
        if (mounted := granted["point"]["id"]) not in self._told:
            # What is mounted is asked for again and again, to go on.
            self._told.add(mounted)
            say_what_lacks(granted)
        return msgspec.convert(granted, Granted)

    def _client(self) -> ApiClient:
        """Each time anew: who logs in again while something is mounted goes on by that."""
        return ApiClient(load_session(self._home), timeout_s=_MASTER_S)


def say_partly(owner: PointsHere, points: Iterable[Point]) -> None:
    """Which of these are, or may be, a part of what was captured."""
    from holdfast.cli.reach import plain

    found = dict.fromkeys(finding for point in points for finding in owner.partly(point))
    say_what_is_partly(plain(each) for each in found)


def _say_what(point: Point) -> None:
    note(f"{point.dataset} as captured {local_time(point.time.isoformat())}, in repository {point.repository}")


def _time(text: str) -> datetime:
    return parse_time(text, now(SystemClock()), zone=None)


_ELSEWHERE = "`holdfast points` lists them; `holdfast login` on this machine, and what other machines have can be mounted here, too"


def point_here(owner: PointsHere, what: What) -> Point:
    """The one that is meant; of copies in several repositories one that is not a part of another. Raises `UnknownName`."""
    from holdfast.core.ids import DatasetId
    from holdfast.model.moments import dataset_of_versions, is_address, parse_address
    from holdfast.model.points import whole_copies

    if what.at:
        return owner.at(DatasetId(what.dataset), _time(what.at))
    if is_address(what.point) and not dataset_of_versions(what.point):
        named, moment = parse_address(what.point)
        return owner.at(DatasetId(named), moment)
    found = [each for each in owner.points() if each.id.startswith(what.point)] if len(what.point) >= 4 else []
    if not found:
        raise UnknownName(f"there is no point {what.point!r} on this machine", hint=_ELSEWHERE)
    if len({each.id for each in found}) > 1:
        raise UnknownName(f"several points begin with {what.point!r}", hint="write more of the id")
    return whole_copies(found, lambda each: each)[0]


def _serve(folder: Path, view: View, allow_other: bool, kept_bytes: int) -> None:
    from holdfast.host.mountpoint import prepare
    from holdfast.operations.mount.edge import KIND, Manner, serve

    # mfusepy takes the library of this name; without it, libfuse 2 where both are there.
    os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
    raw = os.fsencode(folder)
    prepare(raw, KIND)

    def on_ready() -> None:
        note(f"{_MOUNTED} {folder}; Ctrl-C or `holdfast unmount {folder}` ends it")

    serve(view, raw, Manner(allow_other=allow_other, kept_bytes=kept_bytes, on_ready=on_ready))


def _detach(home: Path, folder: Path, arguments: list[str]) -> None:
    from holdfast.host.mountpoint import kind_at, prepare
    from holdfast.operations.mount.edge import KIND

    raw = os.fsencode(folder)
    prepare(raw, KIND)
    log = home / "log" / f"mount-{hashlib.sha256(raw).hexdigest()[:12]}.log"
    child = Child("mount", ["mount", "--home", str(home), *arguments, str(folder)], log)
    before = log.stat().st_size if log.exists() else 0
    child.start()
    wait_until(lambda: kind_at(raw) == KIND, f"{folder} was mounted", [child], _READY_S)
    for line in log.read_bytes()[before:].decode(errors="replace").splitlines():
        # What is mounted, and whether it is all of it; that it is there, is said below.
        if not line.startswith(_MOUNTED):
            note(line)
    say(f"{_MOUNTED} {folder}; `holdfast unmount {folder}` ends it")
