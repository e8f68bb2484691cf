"""Taking things out of a mirror: deleted, or kept in the side folder's `removed/TIME/` for a while.

What somebody else put or changed there is always moved aside, never deleted: the source wins, and nothing is lost.
"""

from __future__ import annotations

import stat
from datetime import datetime, timedelta

from holdfast.core.clock import Clock, now
from holdfast.mirror.findings import edited
from holdfast.mirror.target import REMOVED, Contents, Target
from holdfast.model.entry import display_path
from holdfast.model.jobs import Finding

# How long what was moved aside is kept where the rule keeps no removals at all.
EDITED_KEEP_S = 604_800.0
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


def stamp_of(clock: Clock) -> str:
    """The name of a commit's folder below `removed/`."""
    return now(clock).strftime(_STAMP)


class Removals:
    """The removals of one commit. `keep_s`: None = delete, -1 = keep for ever, else seconds."""

    def __init__(self, target: Target, contents: Contents, keep_s: float | None, stamp: str) -> None:
        self._target = target
        self._contents = contents
        self._keep_s = keep_s
        self._stamp = stamp
        self.findings: list[Finding] = []
        self.removed = 0
        self.folders: set[bytes] = set()
        """In the side folder, whose names this changed."""

    def take_out(self, relative: bytes, key: bytes) -> None:
        """What the source no longer has. `key`: under which the records know it; it may have moved since."""
        self.removed += 1
        if self._keep_s is None:
            self._delete(relative, key)
        else:
            self._report_if_edited(relative, key)
            self._set_aside(relative, self._target.at(key))

    def take_out_edited(self, relative: bytes) -> None:
        """What is not as this mirror left it."""
        place = self._set_aside(relative, relative)
        message = "changed in the mirror by somebody else; the source wins, and what was there was moved aside"
        self.findings.append(edited(relative, message, f"it is now in {display_path(self._target.side.root + b'/' + place)}"))

    def _report_if_edited(self, relative: bytes, key: bytes) -> None:
        found = self._target.writer.stat(relative)
        recorded = self._target.records.entry(key)
        if found is not None and not self._contents.is_ours(recorded, relative, found):
            message = "changed in the mirror by somebody else, and removed with its source"
            self.findings.append(edited(relative, message, f"it is kept below {display_path(self._target.side.root)}/removed"))

    def _delete(self, relative: bytes, key: bytes) -> None:
        """Everything this mirror put there, deepest first; the rest is moved aside."""
        known_as = len(self._target.at(key))
        for inner_key, recorded in self._target.records.below(key):
            inner = relative + self._target.at(inner_key)[known_as:]
            found = self._target.writer.stat(inner)
            if found is None or not self._contents.is_ours(recorded, inner, found):
                continue
            if stat.S_ISDIR(found.st_mode):
                self._target.writer.remove_folder(inner)
            else:
                self._target.writer.remove(inner)
        if self._target.writer.stat(relative) is not None:
            self.take_out_edited(relative)

    def _set_aside(self, relative: bytes, path: bytes) -> bytes:
        """Kept under this path below the commit's folder; its new place, relative to the side folder."""
        inner = path[len(self._target.base) :].lstrip(b"/") or self._target.base
        folder, _, name = (REMOVED + b"/" + self._stamp.encode() + b"/" + inner).rpartition(b"/")
        self._make_folders(folder)
        place, number = folder + b"/" + name, 1
        while self._target.side.stat(place) is not None:
            number += 1
            place = folder + b"/" + name[:240] + b"~%d" % number
        self._target.writer.move(relative, place, into=self._target.side)
        return place

    def _make_folders(self, folder: bytes) -> None:
        parts = folder.split(b"/")
        for count in range(1, len(parts) + 1):
            if self._target.side.ensure_folder(b"/".join(parts[:count])):
                self.folders.add(b"/".join(parts[: count - 1]))
        self.folders.add(folder)


def purge(target: Target, keep_s: float | None, moment: datetime) -> int:
    """Deletes kept removals older than the rule says; how many commits' folders went."""
    keep = EDITED_KEEP_S if keep_s is None else keep_s
    if keep < 0:
        return 0
    old = [name for name, is_folder in target.side.names(REMOVED) if is_folder and _is_older(name, moment - timedelta(seconds=keep))]
    for name in old:
        target.side.remove(REMOVED + b"/" + name)
    return len(old)


def _is_older(name: bytes, limit: datetime) -> bool:
    try:
        return datetime.fromisoformat(name.decode("ascii", "replace")) < limit
    except ValueError:
        return False
