"""Large files that an attempt left unfinished, so that the next one goes on inside them."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from holdfast.core.errors import Conflict, StoreError
from holdfast.host.tree_writer import Draft, TreeWriter
from holdfast.operations.restore_attempt import Attempt
from holdfast.operations.restore_looking import leading_chunks
from holdfast.operations.restore_steps import Step


class Parts:
    """The drafts of large files, under names that the next attempt finds again. A part is proven by its content, nothing else."""

    def __init__(self, writer: TreeWriter, attempt: Attempt) -> None:
        self._writer = writer
        self._attempt = attempt
        self._known = {at for at, _ in attempt.parts()}

    def held(self, step: Step) -> int:
        """How many of the file's chunks, from the first on, need not be fetched again. At least the last one always is."""
        if step.at not in self._known:
            return 0
        try:
            fd = self._writer.open_file(self._path(step.at))
        except OSError:
            return 0
        try:
            return min(leading_chunks(fd, step.entry), len(step.entry.chunks) - 1) if _is_ours(fd) else 0
        except OSError:
            return 0
        finally:
            os.close(fd)

    def begin(self, at: bytes) -> Draft:
        """The draft, with what is in it already. Raises `NoSpace`, `Conflict`, `StoreError`."""
        path = self._path(at)
        if at not in self._known:
            self._attempt.note_part(at)
            self._known.add(at)
        draft = self._writer.reopen(path) if self._writer.stat(path) is not None else self._writer.create(path)
        if not _is_ours(draft.fd):
            # Somebody else's file under our name, or a further name of one: not to be written to.
            draft.close()
            self._writer.remove(path)
            draft = self._writer.create(path)
        draft.path = at
        return draft

    def _path(self, at: bytes) -> bytes:
        parent, slash, _ = at.rpartition(b"/")
        return parent + slash + self._attempt.part_name(at)


def remove_parts(writer: TreeWriter, attempt: Attempt) -> None:
    """What is left of unfinished large files. Never raises."""
    for at, name in attempt.parts():
        parent, slash, _ = at.rpartition(b"/")
        with suppress(Conflict, StoreError):
            writer.remove(parent + slash + name)


def _is_ours(fd: int) -> bool:
    found = os.fstat(fd)
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == os.geteuid()
