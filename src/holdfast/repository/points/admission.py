"""What a sender says at the end of a commit, held against what can be kept and what others have stored.

A source has a grant for its own dataset only. A time that no catalog can hold, or the point id of another dataset, would harm theirs. The
id of a point that its own dataset has already would let a new state pass for an old one, which may be locked.
"""

from __future__ import annotations

from datetime import UTC, datetime

from holdfast.core.errors import Conflict, ProtocolError
from holdfast.core.ids import is_id
from holdfast.model.change import Commit, Cursor
from holdfast.repository.catalog.commit_table import CommitTable
from holdfast.repository.facts import LARGEST

# Nanoseconds since 1970 in 64 bits end in 2262.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)


def check_commit(commit: Commit, commits: CommitTable, dataset: int) -> None:
    """Raises `ProtocolError` or `Conflict`. `dataset` is the catalog's number of the commit's."""
    if not _EARLIEST <= commit.captured_at < _LATEST:
        raise ProtocolError(f"the commit was captured at an impossible time, {commit.captured_at}", hint="set the source's clock")
    if not all(_EARLIEST <= moment < _LATEST for gap in commit.gaps for moment in (gap.since, gap.until)):
        raise ProtocolError("the commit names a gap at an impossible time", hint="set the source's clock")
    if max(commit.seq, commit.files, commit.size_bytes, commit.warnings) >= LARGEST:
        raise ProtocolError("the commit counts more than can be")
    if len({mark.point for mark in commit.marks}) < len(commit.marks):
        raise ProtocolError("the commit makes two points of one id")
    for mark in commit.marks:
        if not is_id(mark.point):
            raise ProtocolError(f"{mark.point!r} is no id of a point")
        if commits.is_point_of_another(mark.point, dataset):
            raise Conflict(f"point {mark.point} is of another dataset", hint="nothing was stored; see who uses the source's identity")
        if commits.cursors_of_point(mark.point, dataset) - {Cursor(epoch=commit.epoch, seq=commit.seq)}:
            raise Conflict(
                f"point {mark.point} is here already, and of another commit", hint="nothing was stored; see who uses the source's identity"
            )
