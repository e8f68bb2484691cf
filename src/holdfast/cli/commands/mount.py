"""Mounting points as folders, and unmounting them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.commands.look import RepositoryOption
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption
from holdfast.cli.output import local_time, note, say
from holdfast.cli.processes import Child, wait_until
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import UnknownName, UsageError
from holdfast.core.units import parse_time

if TYPE_CHECKING:
    from holdfast.model.points import Point
    from holdfast.node.mounts import PointsHere
    from holdfast.operations.mount.shelf import View

_READY_S = 60.0


def register(app: typer.Typer) -> None:
    app.command()(mount)
    app.command()(unmount)


def mount(
    arguments: Annotated[list[str], typer.Argument(metavar="[POINT] DIR", help="A point or DATASET@TIME, then an empty folder.")],
    dataset: Annotated[str, typer.Option("--dataset", help="In place of a point: all points of this dataset ...")] = "",
    at: Annotated[str, typer.Option("--at", help="... or only what it was at this time, like 2026-05-01T12:00 or '2h ago'.")] = "",
    repository: RepositoryOption = "",
    allow_other: Annotated[bool, typer.Option("--allow-other", help="Let other users in; they see what file permissions allow.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is mounted; `holdfast unmount DIR` ends it.")] = False,
    home: HomeOption = None,
) -> None:
    """Show points as folders, read-only, on the machine that owns the repository. Ends with Ctrl-C, or when it is unmounted."""
    if len(arguments) > 2:
        raise UsageError(f"{arguments[2]}: one point and one folder can be named", hint="holdfast mount POINT DIR")
    point = arguments[0] if len(arguments) == 2 else ""
    if bool(point) + bool(dataset) > 1 or not (point or dataset or repository):
        raise UsageError("mount what?", hint="holdfast mount POINT DIR, or --dataset D [--at TIME] DIR, or --repository R DIR")
    if at and not dataset:
        raise UsageError("--at goes with --dataset", hint="a point has its time")
    place, folder = resolve_home(home), Path(arguments[-1]).expanduser().absolute()
    if detach:
        _detach(place, folder, [*_options(dataset, at, repository), *(["--allow-other"] if allow_other else []), "--", *arguments[:-1]])
        return
    _serve(folder, _view(place, point, dataset, at, repository), allow_other)


def unmount(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where something of Holdfast is mounted.")]) -> None:
    """End a mount. Who is still in it keeps what is open; plain `umount` and `fusermount3 -u` do as well."""
    from holdfast.host.mountpoint import unmount as unmount_now
    from holdfast.operations.mount.edge import KIND

    unmount_now(os.fsencode(folder.expanduser().absolute()), KIND)


def _view(home: Path, point: str, dataset: str, at: str, repository: str) -> View:
    """Raises `UnknownName` where this machine has nothing of it."""
    from holdfast.node.mounts import PointsHere
    from holdfast.operations.mount.shelf import ManyPoints, OnePoint

    clock = SystemClock()
    owner = PointsHere(home=home, repository=repository, dataset=dataset)
    if point or at:
        chosen = _point(owner, point, dataset, at)
        note(f"{chosen.dataset} as captured {local_time(chosen.time.isoformat())}, in repository {chosen.repository}")
        return OnePoint(owner, chosen, clock)
    points = owner.points()
    if not points:
        what = f"dataset {dataset!r}" if dataset else f"repository {repository!r}"
        raise UnknownName(f"there is no point of {what} on this machine", hint=_ELSEWHERE)
    return ManyPoints(owner, clock, points[0].dataset_id if dataset else None)


_ELSEWHERE = "`holdfast points` lists them with their repositories; mount on the machine that owns the repository, or restore from there"


def _point(owner: PointsHere, point: str, dataset: str, at: str) -> Point:
    """The one that is meant; of copies in several repositories any. Raises `UnknownName`."""
    from holdfast.core.ids import DatasetId
    from holdfast.model.moments import dataset_of_versions, is_address, parse_address

    if at:
        return owner.at(DatasetId(dataset), parse_time(at, now(SystemClock()), zone=None))
    if is_address(point) and not dataset_of_versions(point):
        named, moment = parse_address(point)
        return owner.at(DatasetId(named), moment)
    found = [each for each in owner.points() if each.id.startswith(point)] if len(point) >= 4 else []
    if not found:
        raise UnknownName(f"there is no point {point!r} on this machine", hint=_ELSEWHERE)
    if len({each.id for each in found}) > 1:
        raise UnknownName(f"several points begin with {point!r}", hint="write more of the id")
    return found[0]


def _serve(folder: Path, view: View, allow_other: bool) -> None:
    from holdfast.host.mountpoint import prepare
    from holdfast.operations.mount.edge import KIND, serve

    # mfusepy takes the library of this name; without it, libfuse 2 where both are there.
    os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
    raw = os.fsencode(folder)
    prepare(raw, KIND)
    serve(view, raw, allow_other=allow_other, on_ready=lambda: note(f"mounted on {folder}; Ctrl-C or `holdfast unmount {folder}` ends it"))


def _detach(home: Path, folder: Path, arguments: list[str]) -> None:
    from holdfast.host.mountpoint import kind_at, prepare
    from holdfast.operations.mount.edge import KIND

    raw = os.fsencode(folder)
    prepare(raw, KIND)
    log = home / "log" / f"mount-{hashlib.sha256(raw).hexdigest()[:12]}.log"
    child = Child("mount", ["mount", "--home", str(home), *arguments, str(folder)], log)
    child.start()
    wait_until(lambda: kind_at(raw) == KIND, f"{folder} was mounted", [child], _READY_S)
    say(f"mounted on {folder}; `holdfast unmount {folder}` ends it")


def _options(dataset: str, at: str, repository: str) -> list[str]:
    given = (("--dataset", dataset), ("--at", at), ("--repository", repository))
    return [word for option, value in given if value for word in (option, value)]
