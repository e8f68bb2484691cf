"""Stubs in the place of archived files: what is captured of them is the file that they stand for.

A link at a path says by itself that it stands for the file the state knows there: it names this very path, and bears the file's time, which
no other version of it has. So nothing has to be remembered for it, and a state that was lost and rebuilt knows as much. Where a receiver
could not be given the content any more (it is new, or has lost it), the link is captured as the link it is.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from holdfast.capture.rows import FILE_CODE, WITHDRAWN
from holdfast.model.archiving import parse_stub

LINK_CODE = stat.S_IFLNK >> 12


@dataclass(frozen=True)
class Stubs:
    """`recall`: where the recall mount of this machine is; nothing = there are no stubs."""

    recall: bytes = b""

    def stand_for(self, row: tuple[bytes, int, int, int, int, int, int, int], path: bytes, real: bytes, status: os.stat_result) -> bool:
        """Whether the symbolic link at `path` (looked at as `real`) stands for the file of this row (`frame.RowHead`)."""
        if not self.recall or row[3] != FILE_CODE or row[2] & WITHDRAWN or row[5] != status.st_mtime_ns:
            return False
        try:
            stub = parse_stub(self.recall, os.readlink(real))
        except OSError:
            return False
        return stub is not None and stub.path == path


NO_STUBS = Stubs()
