"""Where the receiver stood when the spool held nothing, and what it misses that nobody kept: a small file beside the runs."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.core.private_files import make_private_folder, write_private
from holdfast.delivery.spool.run_file import translated, unread
from holdfast.model.change import Commit, Cursor
from holdfast.model.decoding import UNREADABLE
from holdfast.model.gaps import Gap, GapReason

_NAME = "stand"
_MOST_UNTOLD = 200


class Stand(msgspec.Struct, frozen=True):
    """`cursor` None = not known. `missed_since`: states since then were kept by nobody. `untold`: gaps of commits that nobody kept.
    `presumed_at`: the receiver has not said yet that it stands at `cursor`, which was captured then; `presumed_seq`: the last number that
    the state had given to a run. `is_astray`: the receiver has runs with numbers that this state gave to others later, because it was put
    back from an old copy."""

    cursor: Cursor | None = None
    missed_since: datetime | None = None
    untold: tuple[Gap, ...] = ()
    presumed_at: datetime | None = None
    presumed_seq: int = 0
    is_astray: bool = False

    def strays_with(self, cursor: Cursor | None) -> bool:
        """Whether the receiver, asked for the first time, has a run that was not made yet when it was presumed to stand at `cursor`."""
        if self.presumed_at is None or self.cursor is None or cursor is None:
            return False
        return cursor.epoch == self.cursor.epoch and cursor.seq > self.presumed_seq

    @property
    def is_missing(self) -> bool:
        return self.missed_since is not None or bool(self.untold)

    def lacking(self, captured_at: datetime, gaps: Iterable[Gap]) -> Stand:
        """When a commit of this time, with these gaps, was kept by nobody. Of very many gaps the oldest become one with what was missed."""
        gaps = tuple(gaps)
        own = [gap for gap in gaps if gap.reason is not GapReason.THINNED]
        untold = tuple(sorted({*self.untold, *own}, key=lambda gap: (gap.until, gap.since, gap.path)))
        joined, untold = untold[:-_MOST_UNTOLD], untold[-_MOST_UNTOLD:]
        thinned = [gap for gap in gaps if gap.reason is GapReason.THINNED]
        since = [captured_at, *(gap.since for gap in (*joined, *thinned)), *([] if self.missed_since is None else [self.missed_since])]
        return msgspec.structs.replace(self, missed_since=min(since), untold=untold)

    def has_answered(self, cursor: Cursor | None) -> Stand:
        """The receiver says that it stands there. Where it was presumed to stand further, it misses what came after."""
        if self.presumed_at is None or self.cursor is None:
            return msgspec.structs.replace(self, cursor=cursor)
        is_as_presumed = cursor is not None and cursor.epoch == self.cursor.epoch and cursor.seq >= self.cursor.seq
        is_astray = self.strays_with(cursor)
        found = self if is_as_presumed and not is_astray else self.lacking(self.presumed_at, ())
        return msgspec.structs.replace(found, cursor=cursor, presumed_at=None, is_astray=self.is_astray or is_astray)


def is_behind(cursor: Cursor | None, commit: Commit) -> bool:
    """Whether who stands there has not got the commit, as far as can be told."""
    return cursor is None or cursor.epoch != commit.epoch or cursor.seq < commit.seq


def load_stand(folder: Path) -> Stand:
    """One that is damaged says nothing: the receiver is asked. Raises `SpoolUnread`."""
    try:
        content = (folder / _NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Stand()
    except OSError as error:
        raise unread(error) from error
    with suppress(*UNREADABLE):
        return msgspec.msgpack.decode(content, type=Stand)
    return Stand()


def save_stand(folder: Path, stand: Stand) -> None:
    """Raises `NoSpace`, `StoreError`."""
    try:
        make_private_folder(folder)
        write_private(folder / _NAME, msgspec.msgpack.encode(stand))
    except OSError as error:
        raise translated(error) from error
