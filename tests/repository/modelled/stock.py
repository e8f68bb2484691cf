"""Stock restic at work beside a modelled repository: its own snapshots, its forget, prune, tag and index, and what it reads."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from holdfast.model.entry import Kind
from holdfast.model.points import Point
from holdfast.testing.tree_source import TreeSource
from tests.repository.modelled.model import ForeignSnapshot, Model
from tests.repository.modelled.site import Site
from tests.repository.modelled.sources import CHUNKS, NAMES, Tree, content

HOST = "other"
_CHORES = {
    "prune": ("prune",),
    "prune all": ("prune", "--max-unused", "0"),
    "rebuild-index": ("rebuild-index",),
    "snapshots": ("snapshots", "--no-lock"),
    "check": ("check",),
}
CHORES = tuple(_CHORES)


class StockUser:
    """Somebody with restic and the password, who backs up two folders of a machine of their own."""

    def __init__(self, folder: Path) -> None:
        self.folders = (folder / "theirs0", folder / "theirs1")
        for path in self.folders:
            path.mkdir()

    def group(self, number: int) -> str:
        return f"{HOST}:{self.folders[number]}"

    def edit(self, number: int, name: int, what: int) -> None:
        """A file with one of the contents that the sources have, too; or a link, a folder, nothing."""
        folder = self.folders[number]
        path = folder / NAMES[name % 4].decode()
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if what % 5 == 4:
            path.symlink_to(f"to/{what}")
        elif what % 7 == 6:
            path.mkdir()
            (path / "below").write_bytes(content(what))
        elif what % 11:
            path.write_bytes(content(what))

    def backup(self, site: Site, number: int, at: datetime) -> None:
        folder = self.folders[number]
        site.restic.run("backup", str(folder), "--host", HOST, "--time", at.strftime("%Y-%m-%d %H:%M:%S"))
        source = TreeSource(folder)
        files = {
            path: (
                entry.kind.value,
                entry.mode,
                entry.mtime_ns,
                entry.link_target,
                entry.xattrs,
                b"".join(source.chunks[ref.id] for ref in entry.chunks),
            )
            for path, entry in source.all.items()
            if path.startswith(bytes(folder))
        }
        site.model.foreign[at.replace(microsecond=0)] = ForeignSnapshot(self.group(number), files)

    @staticmethod
    def forget(site: Site, points: list[Point], *, prune: bool) -> None:
        """By the ids of snapshots; of which program they are is nothing to it."""
        site.restic.run("forget", *(point.snapshot for point in points), *(("--prune",) if prune else ()))
        drop(site.model, points)

    def forget_older(self, site: Site, number: int) -> None:
        site.restic.run("forget", "--host", HOST, "--path", str(self.folders[number]), "--keep-last", "1", "--prune")
        times = sorted(time for time, snapshot in site.model.foreign.items() if snapshot.group == self.group(number))
        for time in times[:-1]:
            del site.model.foreign[time]

    @staticmethod
    def tag(site: Site, point: Point, word: str) -> None:
        site.restic.run("tag", "--add", word, point.snapshot)
        tags = (*point.tags, *((word,) if word not in point.tags else ()))
        retag(site.model, point, tags)

    @staticmethod
    def do(site: Site, chore: str) -> None:
        site.restic.run(*_CHORES[chore])

    @staticmethod
    def read(site: Site, point: Point, target: Path) -> None:
        """restic lists and restores one of our points as the model has it."""
        tree = site.tree_of(point.dataset_id, point.id)
        _compare_list(site, point, tree)
        left_out = [
            f"--exclude={path.decode()}" for path, entry in tree.items() if entry.kind is Kind.CHARACTER_DEVICE and b"\xff" not in path
        ]
        try:
            site.restic.run("restore", point.snapshot, "--no-lock", "--target", str(target), *left_out)
            _compare_restored(target, tree)
        finally:
            shutil.rmtree(target, ignore_errors=True)


def _compare_list(site: Site, point: Point, tree: Tree) -> None:
    lines = site.restic.run("ls", point.snapshot, "--no-lock", "--long").splitlines()
    named = [line for line in lines if " /data" in line]
    assert len(named) == len(tree), named
    listed = {line[line.index(" /data") + 1 :].partition(" -> ")[0] for line in named}
    assert {path.decode() for path in tree if b"\xff" not in path} <= listed


def _compare_restored(target: Path, tree: Tree) -> None:
    for path, entry in tree.items():
        found = Path(target, path.decode("utf-8", "surrogateescape").lstrip("/"))
        match entry.kind:
            case Kind.FILE:
                expected = b"".join(CHUNKS[ref.id] for ref in entry.chunks)
                assert hashlib.sha256(found.read_bytes()).digest() == hashlib.sha256(expected).digest(), path
            case Kind.SYMLINK:
                assert bytes(found.readlink()) == entry.link_target
            case Kind.DIRECTORY:
                assert found.is_dir()
            case Kind.FIFO:
                assert found.is_fifo()
            case _:
                pass


def drop(model: Model, points: list[Point]) -> None:
    for point in points:
        if point.foreign:
            del model.foreign[point.time]
        else:
            model.of(point.dataset_id).forget([point.id])


def retag(model: Model, point: Point, tags: tuple[str, ...]) -> None:
    if point.foreign:
        model.foreign[point.time] = replace(model.foreign[point.time], tags=tags)
    else:
        points = model.of(point.dataset_id).points
        points[point.id] = replace(points[point.id], tags=tags)
