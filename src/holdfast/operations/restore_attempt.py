"""What is written down of a restore so that it can go on after a break, and be taken back: one folder, one attempt after the other.

    HOME/restores/JOB/
      about.json    what it is of and until when it can be taken back
      1.steps       what the first attempt was to do, and what was there (`restore_steps`); on disk before anything is written
      2.steps ...   the next, after a pause or a crash: it was planned against what the first had left
      sides         folders, relative to the target and each ended by NUL, that hold a side folder
      parts         large files, written so, of which a part may lie under a temporary name

A side folder `.holdfast-before-JOB/N/` lies on the file system of what it keeps, and in it, under its whole path below the target, what the
Nth attempt replaced: moved or linked there, never copied, so that it is the very file, its owner, attributes and further names with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.core.errors import Conflict, StoreError, UnknownName
from holdfast.core.private_files import make_private_folder, open_to_append, write_private
from holdfast.host.tree_writer import store_error
from holdfast.model.decoding import UNREADABLE, UNREADABLE_FILE
from holdfast.model.orders import SIDE_FOLDER
from holdfast.operations.restore_steps import read_steps

_ABOUT = "about.json"


class AboutRestore(msgspec.Struct, frozen=True, kw_only=True):
    """`existing`: the deepest folder on the way to the target that was there before."""

    job: str
    target: bytes
    existing: bytes
    begun_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Attempt:
    """The `number`th go of a restore, from 1. `suffix` is what `rename` appends, the same in all of them."""

    folder: Path
    job: str
    number: int
    suffix: bytes

    @property
    def plan(self) -> Path:
        """Where the steps are written until they are settled."""
        return self.folder / f"{self.number}.plan"

    @property
    def steps(self) -> Path:
        return self.folder / f"{self.number}.steps"

    @property
    def side(self) -> bytes:
        """Relative to the folder that holds it."""
        return side_of(self.job) + b"/%d" % self.number

    def made(self) -> frozenset[bytes]:
        """The folders that earlier attempts made, or meant to."""
        steps = (step for number in attempts_in(self.folder) for step in read_steps(self.folder / f"{number}.steps"))
        return frozenset(step.at for step in steps if step.do == "folder")

    def part_name(self, at: bytes) -> bytes:
        """What a large file is called while it is written: the same in every attempt, so that the next goes on inside."""
        return b".holdfast-tmp-" + hashlib.sha256(self.job.encode() + b"\0" + at).hexdigest()[:24].encode()

    def note_part(self, at: bytes) -> None:
        append(self.folder / "parts", at)

    def parts(self) -> list[tuple[bytes, bytes]]:
        """What large files of any attempt were called while they were written: (place, name)."""
        return [(at, self.part_name(at)) for at in dict.fromkeys(noted(self.folder / "parts"))]


def side_of(job: str) -> bytes:
    return SIDE_FOLDER + job.encode()


def begin_attempt(folder: Path, about: AboutRestore) -> Attempt:
    """The next attempt of this restore; of the first, what is known of it is written down. Raises `StoreError`, `NoSpace`."""
    try:
        make_private_folder(folder)
        for left in folder.glob("*.plan"):
            left.unlink()
        known = read_about(folder) if (folder / _ABOUT).exists() else None
        first = known or about
        write_private(folder / _ABOUT, msgspec.json.encode(msgspec.structs.replace(first, expires_at=about.expires_at)))
    except OSError as error:
        raise store_error(error, os.fsencode(folder)) from error
    suffix = first.begun_at.strftime(".restored-%Y%m%dT%H%M%SZ").encode()
    return Attempt(folder, about.job, max(attempts_in(folder), default=0) + 1, suffix)


def existing_above(target: bytes) -> bytes:
    """The target itself, or the deepest folder on the way to it that is there."""
    while not os.path.isdir(target):
        target = os.path.dirname(target)
    return target


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Nobody else is at this record meanwhile, in any process. Raises `Conflict` where somebody is, `UnknownName` where it is not there."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _nothing_kept() from None
    except OSError as error:
        raise store_error(error, os.fsencode(folder)) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("the restore is being written or taken back", hint="wait for the end of that job, or cancel it") from None
        yield
    finally:
        os.close(fd)


def read_about(folder: Path) -> AboutRestore:
    """Raises `UnknownName` where nothing is kept of it."""
    try:
        return msgspec.json.decode((folder / _ABOUT).read_bytes(), type=AboutRestore)
    except FileNotFoundError:
        raise _nothing_kept() from None
    except UNREADABLE_FILE as error:
        raise StoreError(f"what is known of the restore cannot be read: {folder}", hint="see the disk of the node's home") from error


def _nothing_kept() -> UnknownName:
    hint = "it was taken back, is too long ago, or it was to be kept for no time; see `holdfast jobs`"
    return UnknownName("nothing is kept of this restore", hint=hint)


def attempts_in(folder: Path) -> list[int]:
    """Their numbers, rising."""
    return sorted(int(path.stem) for path in folder.glob("*.steps") if path.stem.isdecimal())


def append(file: Path, path: bytes) -> None:
    """One more path, in the file when this returns. Raises `StoreError`, `NoSpace`."""
    try:
        fd = open_to_append(file)
        try:
            os.write(fd, path + b"\0")
        finally:
            os.close(fd)
    except OSError as error:
        raise store_error(error, os.fsencode(file)) from error


def noted(file: Path) -> list[bytes]:
    """What `append` has written, in order; a last one that was cut off is left out. Raises `StoreError`."""
    try:
        return file.read_bytes().split(b"\0")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise store_error(error, os.fsencode(file)) from error


def records_in(home: Path) -> Iterator[Path]:
    """The folders of all restores of which something is kept."""
    root = home / "restores"
    if root.is_dir():
        yield from sorted(path for path in root.iterdir() if path.is_dir())


def record_of(home: Path, job: str) -> Path:
    return home / "restores" / job


def drop_unused(attempt: Attempt) -> None:
    """The record goes where no attempt of it came to write anything."""
    try:
        attempt.plan.unlink(missing_ok=True)
        if not attempts_in(attempt.folder):
            drop_record(attempt.folder)
    except OSError:
        return


def drop_record(folder: Path) -> None:
    """What is in the side folders must be gone already: without the record nobody finds them."""
    shutil.rmtree(folder, ignore_errors=True)


def expires_at(folder: Path) -> datetime | None:
    """None where it cannot be read: then nobody knows, and it stays."""
    try:
        return msgspec.json.decode((folder / _ABOUT).read_bytes(), type=AboutRestore).expires_at
    except (OSError, *UNREADABLE):
        return None
