"""One dataset on its course: what is pending, whether it is ready, what went wrong, which gaps there were."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from holdfast.capture.ports import Place
from holdfast.capture.reader import WHOLE_BYTES
from holdfast.core.clock import Clock, now, ns_of, utc
from holdfast.core.errors import ErrorFacts, SourceVanished, WindowClosed
from holdfast.host.watch import Batch, Coverage, Reason
from holdfast.model.following import GAPS_SHOWN, Following, FollowState
from holdfast.model.gaps import Gap, GapReason
from holdfast.operations.following.backlog import Backlog, Work
from holdfast.operations.following.openings import Openings
from holdfast.operations.following.plan import Followed, concerns, gaps_by_dataset

BACK_OFF_S = (0.5, 1.0, 2.0)
# Who is away for minutes is asked less often.
LONG_AWAY_ATTEMPTS, LONG_AWAY_S = 150, 15.0
# Where nothing can be watched all is looked at this often; a look that takes long is made less often.
BLIND_S, _BLIND_FACTOR = 60.0, 20.0
# A look at so many names takes some milliseconds, once a second.
_MOST_MEASURED = 2_000
_SUSPECT_S = 0.05


class Course:
    """Used under the follower's lock. `is_ready`: it was scanned whole. `is_behind`: some receiver lacks what the state has."""

    def __init__(self, followed: Followed, clock: Clock) -> None:
        self.followed = followed
        self._inside = _inside(followed)
        self.openings = Openings(dict(followed.windows), followed.keeping)
        self.backlog = Backlog(followed.roots, size_bytes_of=size_bytes_of, portion_bytes=followed.portion_bytes)
        self.is_ready = False
        self.is_behind = False
        self._clock = clock
        # Why nothing was captured, and why somebody does not have what was.
        self._error: ErrorFacts | None = None
        self._away: ErrorFacts | None = None
        self._blind: ErrorFacts | None = None
        self._attempts = 0
        self._not_before_s = self._behind_at_s = 0.0
        self._blind_at_s = 0.0
        self._looked_ns = clock.now_ns()
        self._open_gaps: list[Gap] = []
        self._gaps: deque[Gap] = deque(maxlen=GAPS_SHOWN)
        # When work was taken last, and when that of which it is known that it was looked at.
        self._taken_s = self._looked_s = 0.0
        # Since when the work that was taken is known, until it is told what became of it.
        self._in_hand_s: float | None = None
        # Since when what changed is kept by nobody, because the source is refused.
        self._refused_ns: int | None = None

    @property
    def is_sound(self) -> bool:
        """Whether all that changed is known: it is watched, and no gap is open."""
        return self.is_ready and self._blind is None and not self._open_gaps and not self.backlog.gaps and self._error is None

    @property
    def is_done(self) -> bool:
        """Whether nothing of what is known is left to do."""
        waits = len(self.backlog) or self.backlog.has_strangers
        return self.is_sound and not self.is_behind and not waits and self._in_hand_s is None

    def begin(self, followed: Followed, blind: ErrorFacts | None) -> None:
        """The watch has begun, or could not. With other roots than before nothing of the backlog is lost: places outside are dropped by the
        capture."""
        if (followed.windows, followed.keeping) != (self.followed.windows, self.followed.keeping):
            self.openings = Openings(dict(followed.windows), followed.keeping)
            self.is_behind = True
        self.followed, self._inside = followed, _inside(followed)
        self.backlog.portion_bytes = followed.portion_bytes
        if blind is not None and self._blind is None:
            # What was before is not for the looks that are made now and then.
            self._looked_ns, self._blind_at_s = self._clock.now_ns(), 0.0
        self._blind = blind

    @property
    def is_blind(self) -> bool:
        return self._blind is not None

    def look_at_all(self, seen_until_ns: int | None, now_ns: int, now_s: float) -> None:
        """Nobody watched since: of a dataset that was followed that is a gap, of another it is where following begins. A clock that was
        set back hides how long it was, not that it was."""
        for root in self.followed.roots:
            if seen_until_ns is None or seen_until_ns == now_ns:
                self.backlog.look((Place(root, True),), now_s)
            else:
                since, until = sorted((utc(seen_until_ns), utc(now_ns)))
                self.backlog.add_gap(Gap(path=root, since=since, until=until, reason=GapReason.RESTART), now_s)

    def hear(self, batch: Batch, now_s: float) -> None:
        told = [gap for gap in batch.gaps if self._concerns(gap.path)]
        # Another dataset's root that lies in one of ours: what is in ours was watched all the time.
        theirs = [gap.path for gap in told if gap.reason is Reason.REPLACED and gap.path.startswith(self._inside)]
        theirs = [path for path in theirs if path not in self.followed.roots]
        self.backlog.look([Place(path, True) for path in theirs], now_s)
        mine = Batch(
            gaps=tuple(gap for gap in told if gap.path not in theirs),
            moves=tuple(move for move in batch.moves if self._concerns(move.path) or self._concerns(move.moved_from)),
            names=tuple(fact for fact in batch.names if self._concerns(fact.path)),
        )
        if mine:
            self.backlog.add(mine, now_s)
        if len(mine.names) < len(batch.names):
            # A path outside may be another name of a file inside.
            strangers = (fact.inode for fact in batch.names if fact.inode is not None and not self._concerns(fact.path))
            self.backlog.add_strangers(strangers, now_s)

    def look_again(self, paths: Iterable[bytes], now_s: float) -> None:
        """Names that may change, or have changed, without anybody telling."""
        for path in paths:
            if self._concerns(path):
                self.backlog.look_later(path, now_s + _SUSPECT_S)

    def look(self, places: Sequence[Place], now_s: float) -> None:
        """Places to be looked at at once."""
        self.backlog.look(places, now_s)

    def look_later(self, path: bytes, at_s: float) -> None:
        if self._concerns(path):
            self.backlog.look_later(path, at_s)

    def mind_windows(self) -> None:
        """Before it is asked what is due. Who was closed and is open now gets what it missed."""
        if self.openings.look(now(self._clock)):
            self.is_behind, self._attempts, self._not_before_s, self._behind_at_s = True, 0, 0.0, 0.0

    def next_s(self) -> float | None:
        """When there is something to do; None = only when something happens, or a window opens."""
        if self.openings.is_at_rest:
            return None
        times = [time_s for time_s in (self.backlog.next_s(), None if self._blind is None else self._blind_at_s) if time_s is not None]
        if self.is_behind:
            times.append(self._behind_at_s)
        if self._refused_ns is not None:
            times.append(0.0)
        return max(min(times), self._not_before_s) if times else None

    def postpone(self, until_s: float) -> None:
        """It cannot be done before."""
        self._not_before_s = max(self._not_before_s, until_s)

    def is_due(self, now_s: float) -> bool:
        next_s = self.next_s()
        return next_s is not None and next_s <= now_s

    def take(self, now_s: float, *, everything: bool = False) -> Work:
        """The work that is due, `everything` = all there is. Where nobody watches all of it is, now and then. Until it is told what became
        of it, it is not delivered: `done`, `undone`, `behind` or `captured`."""
        if self._blind is not None and now_s >= self._blind_at_s:
            now_ns = self._clock.now_ns()
            for root in self.followed.roots:
                since = utc(self._looked_ns)
                self.backlog.add_gap(Gap(path=root, since=since, until=utc(now_ns), reason=GapReason.NOT_WATCHED), now_s)
            self._looked_ns = now_ns
            self._blind_at_s = now_s + BLIND_S
        self._taken_s = now_s
        since_ns = self._refused_ns
        work = self._take(now_s, everything=everything) if since_ns is None else self._take_refused(since_ns, now_s)
        self._open_gaps += [gap for gap in work.gaps if gap not in self._open_gaps]
        self._in_hand_s = work.since_s if work else None
        return work

    def _take(self, now_s: float, *, everything: bool = False) -> Work:
        """Who comes late for it is late since it was due; for what is left of an earlier portion, since that was taken."""
        at_s, oldest_s = self.backlog.next_s(), self.backlog.oldest_s
        work = self.backlog.take(now_s, everything=everything)
        if at_s is None or oldest_s is None:
            return work
        late_s = now_s - max(at_s, oldest_s, self._looked_s)
        return replace(work, due_ns=self._clock.now_ns() - int(late_s * 1e9))

    def _take_refused(self, since_ns: int, now_s: float) -> Work:
        """All there is: once it is captured the time in which the source was refused has an end, and is a gap."""
        self._open_gaps = _lasting(self._open_gaps)
        self.backlog.look([Place(root) for root in self.followed.roots], now_s)
        work = self.backlog.take(now_s, everything=True)
        since, until = sorted((utc(since_ns), now(self._clock)))
        refused = (Gap(path=root, since=since, until=until, reason=GapReason.VANISHED) for root in self.followed.roots)
        return replace(work, gaps=(*work.gaps, *refused))

    @property
    def may_go_on(self) -> bool:
        """Whether a run of it may take more than it began with: not where all is looked at, and a database is read from a copy."""
        return self._blind is None and not self.backlog.gaps and not self.followed.rule.classification.application

    def take_more(self, now_s: float) -> Work:
        """More of what is due, besides what was taken before and is not told of yet."""
        self._looked_s, self._taken_s = self._taken_s, now_s
        work = self._take(now_s)
        if work:
            self._in_hand_s = work.since_s if self._in_hand_s is None else min(work.since_s, self._in_hand_s)
        return work

    def set_aside(self, work: Work, is_large: Callable[[bytes, int], bool]) -> tuple[Work, tuple[bytes, ...]]:
        """Of the work that was taken, what is to be done now, and the large files that wait until their content has gone ahead: they are in
        the backlog again. Where a move or a gap is told all goes at once; a database is read from a copy."""
        if work.gaps or work.moves or self.followed.rule.classification.application:
            return work, ()
        most_bytes = max(WHOLE_BYTES, self.followed.portion_bytes)
        large = [place for place in work.places if not place.below and is_large(place.path, most_bytes)]
        if large:
            closed = work.closed.intersection(place.path for place in large)
            self.backlog.put_back(Work(places=tuple(large), since_s=work.since_s, closed=closed))
            work = replace(work, places=tuple(place for place in work.places if place not in large))
        return work, tuple(place.path for place in large)

    def done(self, now_s: float) -> None:
        """The work that was taken was delivered everywhere."""
        self._heal()
        self._error, self._away, self._attempts, self._not_before_s, self.is_behind = None, None, 0, 0.0, False
        if self._blind is not None:
            self._blind_at_s = max(self._blind_at_s, now_s + _BLIND_FACTOR * (now_s - self._taken_s))

    def captured(self) -> None:
        """The work that was taken is in the state, and another than the follower sees to it that everybody gets it."""
        self._heal()

    def undone(self, work: Work, error: ErrorFacts | None, now_s: float) -> None:
        """It is to be done again."""
        self._in_hand_s = None
        if error is not None and error.code == SourceVanished.code and self._refused_ns is None:
            self._refused_ns = self._clock.now_ns() - int(max(0.0, now_s - work.since_s) * 1e9)
        self.backlog.put_back(replace(work, gaps=tuple(_lasting(work.gaps))))
        self._error = None if WindowClosed.says(error) else error
        self._not_before_s = now_s + self._back_off_s()

    def behind(self, error: ErrorFacts, now_s: float) -> None:
        """It was captured, and some receiver did not get it: that is tried again, and nothing else waits for it."""
        self._heal()
        self._error, self._away, self._not_before_s = None, error, 0.0
        if not self.is_behind or now_s >= self._behind_at_s:
            self._behind_at_s = now_s + self._back_off_s()
        self.is_behind = True

    def left_behind(self, now_s: float) -> None:
        """Some receiver lacks what the state has, and can take it now."""
        self.is_behind = True
        soon_s = now_s + BACK_OFF_S[0]
        self._behind_at_s, self._not_before_s = min(self._behind_at_s, soon_s), min(self._not_before_s, soon_s)

    def lag_s(self, now_s: float) -> float:
        """Age of the oldest change that was not delivered; 0 = everything was."""
        since_s = [each for each in (self.backlog.oldest_s, self._in_hand_s) if each is not None]
        return max(0.0, now_s - min(since_s)) if since_s else 0.0

    def seen_until_ns(self, now_ns: int, now_s: float) -> int:
        """Up to when everything that happened was delivered, ns since 1970: if this ends now, what is later is a gap."""
        gaps = [ns_of(gap.since) for gap in (*self._open_gaps, *self.backlog.gaps)]
        looked = [] if self._blind is None else [self._looked_ns]
        refused = [] if self._refused_ns is None else [self._refused_ns]
        return min([now_ns - int(self.lag_s(now_s) * 1e9), *gaps, *looked, *refused])

    def told(self, coverage: Sequence[Coverage], now_ns: int, now_s: float) -> Following:
        lag_s, rule = self.lag_s(now_s), self.followed.rule
        mine = [each for each in coverage if any(map(self._concerns, each.paths))]
        refused = () if self._refused_ns is None else (utc(self._refused_ns),)
        return Following(
            dataset=rule.label,
            dataset_id=rule.id,
            state=self._state(),
            pending=len(self.backlog),
            pending_since=utc(now_ns - int(lag_s * 1e9)).replace(microsecond=0) if lag_s > 1.0 else None,
            means=tuple(sorted({each.means.value for each in mine if each.means is not None})),
            shortfalls=tuple(sorted({shortfall.value for each in mine for shortfall in each.shortfalls})),
            gaps=tuple(self._gaps),
            open_gap_since=min((*(gap.since for gap in self._open_gaps), *refused), default=None),
            error=self._error or self._away or self._blind,
            pending_bytes=sum(map(size_bytes_of, self.backlog.names(_MOST_MEASURED))),
            waits_until=self.openings.first_opening(utc(now_ns)),
        )

    def _state(self) -> FollowState:
        if not self.is_ready:
            return FollowState.STARTING
        if self._blind is not None:
            return FollowState.NOT_WATCHED
        if self._error is not None or self._away is not None or (self.openings.is_at_rest and len(self.backlog)):
            return FollowState.WAITING
        return FollowState.RECONCILING if self._open_gaps else FollowState.FOLLOWING

    def _heal(self) -> None:
        """What there is now is known: gaps have an end, and versions from before it may be missing for ever."""
        self._in_hand_s = None
        self._looked_s = self._taken_s
        self._gaps.extendleft(gaps_by_dataset((self.followed,), self._open_gaps).get(self.followed.rule.id, ()))
        self._open_gaps.clear()
        self._refused_ns = None

    def _back_off_s(self) -> float:
        self._attempts += 1
        return LONG_AWAY_S if self._attempts > LONG_AWAY_ATTEMPTS else BACK_OFF_S[min(self._attempts, len(BACK_OFF_S)) - 1]

    def _concerns(self, path: bytes | None) -> bool:
        # Without a path nobody knows where it was; to `concerns` that would lie above every root.
        return path is not None and path != b"" and (path.startswith(self._inside) or concerns(self.followed, (Place(path, True),)))


def _lasting(gaps: Iterable[Gap]) -> list[Gap]:
    """Those whose end is known: while a source is refused the end of that is put off."""
    return [gap for gap in gaps if gap.reason is not GapReason.VANISHED]


def _inside(followed: Followed) -> tuple[bytes, ...]:
    """How all paths below its roots begin."""
    return tuple(root.rstrip(b"/") + b"/" for root in followed.roots)


def size_bytes_of(path: bytes) -> int:
    """Of a file as it is now; what is gone, or is no file, has none."""
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
