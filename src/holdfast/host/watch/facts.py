"""The values a watch gives and takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, Flag, auto

# About 300 bytes each, with its path.
MOST_PENDING = 200_000


class Scope(Enum):
    NAME = "name"
    TREE = "tree"


class Aspect(Flag):
    """Hints at what changed. `ENTRY`: the name came, went or became another inode. `CLOSED`: a writer has closed it."""

    ENTRY = auto()
    CONTENT = auto()
    METADATA = auto()
    CLOSED = auto()
    MOVED = auto()


class Reason(Enum):
    """Why there is a gap. `MOUNT`: a file system came, went or was changed for another."""

    OVERFLOW = "overflow"
    MOUNT = "mount"
    REPLACED = "root-replaced"


class Means(Enum):
    FANOTIFY = "fanotify"
    INOTIFY = "inotify"


class Shortfall(Enum):
    """Why no better means is used (the first four), and what is not seen."""

    NOT_PERMITTED = "not-permitted"
    NOT_SUPPORTED = "not-supported-here"
    NO_QUEUE_LEFT = "no-queue-left"
    NOT_CHOSEN = "not-chosen"
    NO_ONE_KNOWN = "who-is-not-known"
    OTHER_NAMES = "writes-through-names-outside-or-gone"
    OTHER_MACHINES = "changes-by-other-machines"
    UNREADABLE_FOLDERS = "folders-that-cannot-be-read"


@dataclass(frozen=True, slots=True)
class Who:
    """The process that made the last change told. Program and user are None when it had ended before anybody could look."""

    pid: int
    program: str | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class Dirty:
    """Look at `path` (absolute, raw bytes), as far as `scope` says. `inode`: of a move, of what moved; else only of a file that has
    other names, or has left this one: its content and metadata are those of every name. Where the means does not tell, it is None.
    `path` is empty where the folder in which such a file was changed is gone by now: then the inode alone says which file it is."""

    path: bytes
    scope: Scope = Scope.NAME
    what: Aspect = Aspect.ENTRY
    moved_from: bytes | None = None
    inode: int | None = None
    who: Who | None = None

    @property
    def subject(self) -> tuple[bytes, int | None]:
        """Facts of one subject may be merged. The inode belongs to it: each of two files that bore the name may have other names."""
        return self.path, self.inode

    def merged(self, later: Dirty) -> Dirty:
        """Both in one, of the same subject and no move: the wider scope, all hints, who did it last."""
        scope = Scope.TREE if Scope.TREE in (self.scope, later.scope) else Scope.NAME
        return Dirty(self.path, scope, self.what | later.what, None, self.inode, later.who or self.who)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Between the two moments (ns since 1970, UTC) changes at and below `path` may have gone unseen. Look at all of it."""

    path: bytes
    since_ns: int
    until_ns: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Batch:
    """What `Watch.take` gives; falsy when nothing was there."""

    gaps: tuple[Gap, ...] = ()
    moves: tuple[Dirty, ...] = ()
    names: tuple[Dirty, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.gaps or self.moves or self.names)

    def __iter__(self) -> Iterator[Gap | Dirty]:
        yield from self.gaps
        yield from self.moves
        yield from self.names


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How one ground is watched: the paths in it, by what (None = not at all), and what is missing."""

    paths: tuple[bytes, ...]
    file_system: str
    means: Means | None
    shortfalls: frozenset[Shortfall] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest:
    """`cuts` win over the roots they lie below. `one_file_system`: file systems mounted below a root are left out unless they are roots.

    `only`: this means or none. `most_pending`: facts that are kept for a taker before those of the fullest folder become a gap.
    `most_folders`: how many folders inotify may watch, None = what the kernel allows. `lull_s`: time given to events to merge.
    `look_s`: how often the roots are looked at, beyond what events tell.
    """

    roots: tuple[bytes, ...]
    cuts: tuple[bytes, ...] = ()
    one_file_system: bool = False
    only: Means | None = None
    most_pending: int = MOST_PENDING
    most_folders: int | None = None
    lull_s: float = 0.01
    look_s: float = 1.0
