"""What differs between two listings in walk order, of points that lie with two owners. Pure.

An owner compares two trees and knows everything of them. Here only rows of `ls` meet: what they do not say (attributes, numbers of
devices) is not compared, and nothing is known as moved. The bytes of files are told apart by `Listing.content` where both rows have it,
else by size and time, as the answer says.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.model.differences import Change, Difference, Fact
from holdfast.model.entry import is_below, walk_key
from holdfast.model.points import Listing


def path_of_row(row: Listing) -> bytes:
    return row.path_raw or row.path.encode()


def facts_of_rows(old: Listing, new: Listing) -> tuple[Fact, ...]:
    """A folder's time is not looked at: it is said by what changed in it."""
    if old.kind != new.kind:
        return (Fact.TYPE,)
    is_time = old.kind != "dir" and old.mtime_ns != new.mtime_ns
    differs = {
        Fact.CONTENT: old.kind == "file" and not _same_content(old, new),
        Fact.TARGET: old.link_target != new.link_target,
        Fact.MODE: old.mode != new.mode,
        Fact.OWNER: (old.uid, old.gid, old.user, old.group) != (new.uid, new.gid, new.user, new.group),
        Fact.TIME: is_time,
    }
    return tuple(fact for fact, is_other in differs.items() if is_other)


def _same_content(old: Listing, new: Listing) -> bool:
    if old.size_bytes != new.size_bytes:
        return False
    # Without the hashes another time is the only sign of another content, and is told as what it is.
    return not (old.content and new.content) or old.content == new.content


def difference_of(old: Listing | None, new: Listing | None) -> Difference | None:
    """None = they do not differ. One of them is there."""
    row = new or old
    assert row is not None
    facts = facts_of_rows(old, new) if old is not None and new is not None else ()
    if old is not None and new is not None and not facts:
        return None
    change = Change.ADDED if old is None else Change.REMOVED if new is None else Change.CHANGED
    return Difference(path=row.path, path_raw=row.path_raw, change=change, facts=facts, before=old, after=new)


def child_difference(old: Listing | None, new: Listing | None) -> Difference | None:
    """As `difference_of`, of a child that was not looked into: below a folder that both have anything may differ."""
    found = difference_of(old, new)
    if found is not None or old is None or new is None or new.kind != "dir":
        return found
    return Difference(path=new.path, path_raw=new.path_raw, change=Change.UNKNOWN, before=old, after=new)


class Merge:
    """Takes rows of both sides in walk order, as they come, and gives pairs of one path in that order. Holds what cannot be paired yet."""

    def __init__(self) -> None:
        self._held: tuple[list[Listing], list[Listing]] = ([], [])
        self._at = [0, 0]
        self._ended = [False, False]

    def put(self, side: int, rows: tuple[Listing, ...], *, last: bool) -> None:
        """Only when `lacks` said so."""
        self._held[side][:] = rows
        self._at[side] = 0
        self._ended[side] = last

    def lacks(self, side: int) -> bool:
        """Whether the next rows of a side are to be put before there can be more pairs."""
        return not self._ended[side] and self._at[side] >= len(self._held[side])

    def pairs(self) -> Iterator[tuple[Listing | None, Listing | None]]:
        """As far as it goes without more rows."""
        while not self.lacks(0) and not self.lacks(1):
            old, new = (held[at] if at < len(held) else None for held, at in zip(self._held, self._at, strict=True))
            if old is None and new is None:
                return
            if old is not None and new is not None:
                keys = walk_key(path_of_row(old)), walk_key(path_of_row(new))
                old, new = (old if keys[0] <= keys[1] else None), (new if keys[1] <= keys[0] else None)
            self._at[0] += old is not None
            self._at[1] += new is not None
            yield old, new


class Folding:
    """Differences below a folder as rows of its children: one that has differences in it is one row. `done`: the last child of which all
    was seen."""

    def __init__(self, done: bytes = b"") -> None:
        self.done = done
        self._top: bytes | None = None
        self._row: Difference | None = None
        self._is_changed = False

    def put(self, old: Listing | None, new: Listing | None) -> Difference | None:
        """The row of the child before, once all of it was seen and something of it differs."""
        row = new or old
        assert row is not None
        path = path_of_row(row)
        if self._top is not None and is_below(path, self._top):
            self._is_changed = self._is_changed or difference_of(old, new) is not None
            return None
        done = self.end()
        self.done = self._top or self.done
        self._top, self._row = path, difference_of(old, new)
        self._is_changed = False
        self._child = Difference(path=row.path, path_raw=row.path_raw, change=Change.INSIDE, before=old, after=new)
        return done

    def end(self) -> Difference | None:
        """Of the child that was seen last, as far as it was."""
        if self._top is None:
            return None
        return self._row or (self._child if self._is_changed else None)
