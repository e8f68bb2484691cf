"""Edits that a watch has to tell of: a plan that is the same on every machine, and what is done with it at what pace."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from random import Random

_CONTENT = bytes(range(256)) * 16
_FEWEST_FILES = 2
Tree = Sequence[tuple[bytes, Sequence[bytes]]]


class Kind(Enum):
    CREATE = auto()
    WRITE = auto()
    RENAME = auto()
    RENAME_FOLDER = auto()


_SHARES = {Kind.CREATE: 45, Kind.WRITE: 30, Kind.RENAME: 24, Kind.RENAME_FOLDER: 1}


@dataclass(frozen=True, slots=True)
class Edit:
    """`path` is what it leads to, `source` what it was called before. `also`: paths that are changed with them."""

    kind: Kind
    path: bytes
    source: bytes | None = None
    also: tuple[bytes, ...] = ()

    def touched(self) -> Iterator[bytes]:
        yield self.path
        if self.source is not None:
            yield self.source
        yield from self.also


@dataclass(frozen=True, slots=True)
class Pace:
    """So many edits one after the other, then a pause; `rate_per_s` None = as fast as they go."""

    name: str
    edits: int
    rate_per_s: float | None = None
    together: int | None = None
    pause_s: float = 0.0

    def wait_for(self, number: int, began_s: float) -> None:
        """Until it is the turn of edit `number` (from 0) of those that began then (monotonic)."""
        if self.rate_per_s is not None:
            time.sleep(max(0.0, began_s + number / self.rate_per_s - time.monotonic()))
        elif self.together is not None and number and number % self.together == 0:
            time.sleep(self.pause_s)


@dataclass(slots=True)
class _Folder:
    path: bytes
    names: list[bytes]


@dataclass(frozen=True, slots=True)
class Plan:
    """`tree`: the folders as they are after all edits."""

    edits: list[Edit]
    tree: Tree


def planned(tree: Tree, count: int, seed: int) -> Plan:
    """Over folders that hold files and no folders, each given with its names. Pure. Two plans for one tree need two seeds."""
    chance = Random(seed)
    folders = [_Folder(path, list(names)) for path, names in tree]
    kinds = chance.choices(list(_SHARES), list(_SHARES.values()), k=count)
    edits = [_one(kind, chance.choice(folders), folders, (seed, number), chance) for number, kind in enumerate(kinds)]
    return Plan(edits, [(folder.path, tuple(folder.names)) for folder in folders])


def _one(kind: Kind, folder: _Folder, folders: list[_Folder], key: tuple[int, int], chance: Random) -> Edit:
    fresh = b"e%d-%d" % key
    if kind is Kind.RENAME_FOLDER:
        source, folder.path = folder.path, os.path.dirname(folder.path) + b"/" + fresh
        return Edit(kind, folder.path, source, tuple(top + b"/" + name for top in (source, folder.path) for name in folder.names))
    if kind is Kind.CREATE or len(folder.names) < _FEWEST_FILES:
        folder.names.append(fresh)
        return Edit(Kind.CREATE, folder.path + b"/" + fresh)
    place = chance.randrange(len(folder.names))
    path = folder.path + b"/" + folder.names[place]
    if kind is Kind.WRITE:
        return Edit(kind, path)
    del folder.names[place]
    other = chance.choice(folders)
    other.names.append(fresh)
    return Edit(kind, other.path + b"/" + fresh, path)


def carry_out(edits: Sequence[Edit], pace: Pace) -> tuple[list[int], float]:
    """When each had ended (monotonic, ns), and how long all took."""
    ended_ns = []
    began_s = time.monotonic()
    for number, edit in enumerate(edits):
        pace.wait_for(number, began_s)
        if edit.source is not None:
            os.rename(edit.source, edit.path)
        else:
            with open(edit.path, "r+b" if edit.kind is Kind.WRITE else "xb", buffering=0) as file:
                file.write(_CONTENT[: 1 + number % len(_CONTENT)])
        ended_ns.append(time.monotonic_ns())
    return ended_ns, time.monotonic() - began_s


def make_tree(top: Path, folders: int, files: int) -> Tree:
    """`files` empty files in each of so many folders, a hundred of which share one above them. Gives the folders with their names."""
    names = tuple(b"f%d" % number for number in range(files))
    made = []
    for number in range(folders):
        folder = os.fsencode(top) + b"/above%d/folder%d" % divmod(number, 100)
        os.makedirs(folder)
        for name in names:
            os.mknod(folder + b"/" + name, 0o644)
        made.append((folder, names))
    return made
