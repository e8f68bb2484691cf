"""Downloading a file, or a folder as an archive: from this machine's own repositories, or by a link from the machine that has them."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from holdfast.cli.client import ApiClient
from holdfast.cli.commands.look import RepositoryOption
from holdfast.cli.commands.mount import What, point_here, say_partly
from holdfast.cli.datasets import naming
from holdfast.cli.home import has_session, load_session, resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import note, print_json, say
from holdfast.cli.reach import has_agent
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import Conflict, NotReachable, UnknownName, UsageError
from holdfast.core.units import format_size, format_utc, parse_time

if TYPE_CHECKING:
    from holdfast.model.downloads import Format


def register(app: typer.Typer) -> None:
    app.command()(download)


def download(
    arguments: Annotated[list[str], typer.Argument(metavar="[POINT] PATH", help="A point, or --dataset; and one path in it.")],
    dataset: Annotated[str, typer.Option("--dataset", help="Instead of a point: this dataset ...")] = "",
    at: Annotated[str, typer.Option("--at", help="... at this time: ISO 8601, or like '2h ago' (default: the newest).")] = "",
    repository: RepositoryOption = "",
    chosen: Annotated[str, typer.Option("--format", help="file, zip, tar or tar.zst (default: file; of a folder zip).")] = "auto",
    output: Annotated[str, typer.Option("-o", "--output", help="Write here, - = standard output (default: its name, here).")] = "",
    link: Annotated[bool, typer.Option("--link", help="Only print a link: good once, 10 minutes, for whoever has it.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download a file, or a folder as one archive. Never through the Master."""
    point, path = _what(arguments, dataset)
    place, format = resolve_home(home), _format(chosen)
    body: dict[str, Any] = {
        "point": point,
        "dataset": dataset,
        "at": format_utc(parse_time(at, now(SystemClock()), zone=None)) if at else "",
        "path": quote(os.fsencode(path), safe="/"),
        "repository": repository,
        "format": format,
    }
    if link:
        with naming(place, dataset):
            made = ApiClient(load_session(place)).post("/downloads", body)
        if as_json:
            print_json(made)
        else:
            say(made["url"])
            if not made["reachable"]:
                note(f"the Master does not reach it: {made['problem']}")
        return
    with naming(place, dataset):
        saved = _from_here(place, body, os.fsencode(path), output) or _by_link(place, body, output)
    if as_json:
        print_json(saved)
    elif output != "-":
        note(f"saved {saved['path']}: {format_size(int(saved['size_bytes']))}")


def _what(arguments: list[str], dataset: str) -> tuple[str, str]:
    if len(arguments) != (1 if dataset else 2):
        raise UsageError("download what?", hint="holdfast download POINT PATH, or --dataset D [--at TIME] PATH")
    path = arguments[-1]
    if not path.startswith("/"):
        raise UsageError(f"{path} is not an absolute path", hint="paths are as on the source; `holdfast ls POINT` shows them")
    return "" if dataset else arguments[0], path.rstrip("/") or "/"


def _format(word: str) -> Format:
    from holdfast.model.downloads import FORMATS

    found = next((known for known in FORMATS if known == word), None)
    if found is None:
        raise UsageError(f"--format {word} is not one of {', '.join(FORMATS)}", hint="take one of these")
    return found


def _from_here(home: Path, body: dict[str, Any], path: bytes, output: str) -> dict[str, Any] | None:
    """From a repository of this machine, the Master having no part; None = this machine has nothing of it."""
    if not has_agent(home):
        return None
    from holdfast.core.ids import DatasetId
    from holdfast.node.local.mounts import PointsHere
    from holdfast.operations.download.download import open_download

    owner = PointsHere(home=home, repository=body["repository"], dataset=body["dataset"])
    try:
        if body["dataset"] and not body["at"]:
            found = owner.at(DatasetId(body["dataset"]), None)
        else:
            what = What(point=body["point"], dataset=body["dataset"], at=body["at"], repository=body["repository"])
            found = point_here(owner, what)
    except (UnknownName, NotReachable):
        if has_session(home):
            return None
        raise
    say_partly(owner, [found])
    with closing(owner.open(found)) as reader:
        given = open_download(reader, path, body["format"])
        with _Target(output, given.name) as target:
            for block in given.blocks():
                target.write(block)
            return target.saved()


def _by_link(home: Path, body: dict[str, Any], output: str) -> dict[str, Any]:
    """What broke off goes on where it was, as long as each attempt brings something."""
    from holdfast.cli.fetching import Broken, Fetched, fetch

    session = load_session(home)
    client = ApiClient(session)
    made = client.post("/downloads", body)
    with _Target(output, made["url"].rpartition("/")[2]) as target:
        state = Fetched()
        while True:
            before = target.size
            try:
                for block in fetch(made["url"], session.ca_pem, state, target.size):
                    target.rename(state.name)
                    target.write(block)
                target.rename(state.name)
                return target.saved()
            except Broken as error:
                if not state.can_go_on or target.size == before:
                    raise
                note(f"{error.message}; going on at {format_size(target.size)}")
                made = made if state.is_begun else client.post("/downloads", body)


class _Target:
    """Where it is written: beside its place until it is whole. Raises `Conflict` for what is there already."""

    def __init__(self, output: str, name: str) -> None:
        self._output = output
        self.size = 0
        self._path = Path(output).expanduser() if output else Path(_spoken(name))
        self._is_named = bool(output)
        self._file: IO[bytes] | None = None
        self._part = Path()

    def __enter__(self) -> _Target:
        if self._output != "-":
            self._check()
            self._part = self._path.with_name(f".{self._path.name[:200]}.{os.getpid()}.part")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None and self._output != "-":
            self._file.close()
            self._part.unlink(missing_ok=True)

    def rename(self, name: str) -> None:
        """What the node calls it, where nobody said otherwise."""
        if name and not self._is_named:
            self._path, self._is_named = self._path.with_name(_spoken(name)), True
            self._check()

    def write(self, block: bytes) -> None:
        if self._file is None:
            try:
                self._file = sys.stdout.buffer if self._output == "-" else self._part.open("xb")
            except OSError as error:
                raise UsageError(f"cannot write {self._path}: {error.strerror}", hint="choose another place with -o") from None
        self._file.write(block)
        self.size += len(block)

    def saved(self) -> dict[str, Any]:
        self.write(b"")
        assert self._file is not None
        self._file.flush()
        if self._output == "-":
            return {"path": "-", "size_bytes": self.size}
        self._file.close()
        self._check()
        self._part.rename(self._path)
        return {"path": str(self._path), "size_bytes": self.size}

    def _check(self) -> None:
        if os.path.lexists(self._path):
            raise Conflict(f"{self._path} is there already", hint="name another with -o, or remove it")


def _spoken(name: str) -> str:
    """Never a path, whoever says it."""
    from urllib.parse import unquote

    shown = unquote(name).replace("/", "_").replace("\0", "_")
    return shown if shown.strip(".") else "download"
