"""What the walks share: the folder being walked, the rows beside it, and what is counted."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from holdfast.capture.classify import RootRules
from holdfast.capture.roots import Special, Target
from holdfast.capture.rows import OF_VERSION

SOCKET_CODE = stat.S_IFSOCK >> 12
GONE = frozenset({errno.ENOENT, errno.ENOTDIR})

# key, members, flags that mean that it has to be looked at again, kind, size, mtime, ctime, inode
RowHead = tuple[bytes, int, int, int, int, int, int, int]
ROWS_BETWEEN = (
    f"SELECT key, members, flags & {OF_VERSION}, kind, size, mtime, ctime, inode FROM rows WHERE key >= ? AND key < ? ORDER BY key"
)
# After every path: no key begins with a byte above NUL.
END: RowHead = (b"\xff", 0, 0, 0, 0, 0, 0, 0)
Rules = tuple[tuple[Target, int, RootRules], ...]


@dataclass(slots=True)
class Frame:
    """A folder being walked. `mask`: datasets that cover what is in it. `lead`: datasets it belongs to only if something below does.
    `kept`: datasets with anything below it. `plain`: no rule and no special name has to be asked in it.
    `names`: it is only passed through, and these are the names to look at in it; `asked`: it is to be looked at itself (see `visit`).
    """

    key: bytes
    row: RowHead | None
    status: os.stat_result
    prefix: bytes
    entries: Iterator[os.DirEntry[bytes]]
    mask: int
    members: int
    lead: int
    rules: Rules
    specials: dict[bytes, Special]
    plain: bool
    root: int = 0
    kept: int = 0
    removed_before: dict[int, int] = field(default_factory=dict)
    names: Iterator[bytes] | None = None
    asked: bool = False


@dataclass
class Tally:
    """What the walk counted. `to_read` (bytes) and `removed`: by mask of datasets. `empty`: roots under which nothing is, `emptied`:
    those of them under which something was."""

    files: int = 0
    to_read: dict[int, int] = field(default_factory=dict)
    removed: dict[int, int] = field(default_factory=dict)
    empty: list[tuple[int, bytes]] = field(default_factory=list)
    emptied: list[tuple[int, bytes]] = field(default_factory=list)
    reached: set[tuple[int, bytes]] = field(default_factory=set)

    def removed_from(self, bit: int) -> int:
        return sum(count for bits, count in self.removed.items() if bits & bit)
