"""The anomaly signal: changes of a dataset that look like somebody destroying it, judged against its own history. Pure.

What is measured is one *window*: what differs between two states of a dataset that follow each other. Rates alone say little: a package
upgrade rewrites every file, a build makes thousands. What gives encryption away is that files which could be compressed, or bore the mark
of their type, no longer can or do, under the same name or under one made of it; ordinary work practically never does that to many.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from statistics import median

import msgspec

from holdfast.core.errors import UnknownName
from holdfast.core.ids import DatasetId, PointId

LAST_CLEAN = "last-clean"
"""In the place of a time: the last moment before the newest anomaly."""
TRAIL_S = 600.0
"""Windows of so long ago count together with the newest: who destroys slowly is found all the same."""
KEPT_WINDOWS = 500
WARM_UP_WINDOWS = 5
"""Before so many, renames and removals are judged by nothing: a new dataset is being put in order."""
_MAD_SCALE = 1.4826
_MAD_TIMES = 8.0
_PEAK_TIMES = 1.5
_LEAST_ENCRYPTED, _MOST_ENCRYPTED, _ENCRYPTED_RATIO = 4, 50, 0.01
_ENCRYPTED_SHARE = 0.3
_LEAST_RENAMED, _RENAMED_RATIO = 20, 0.1
_LEAST_REMOVED, _REMOVED_RATIO = 100, 0.3
_MOST_PATHS = 20


class AnomalyPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happens when a dataset looks as if it were being destroyed: its points before that are kept for `hold_s` at least (0 = as
    ever)."""

    hold_s: float = 604_800.0


class AnomalyKind(str, Enum):
    ENCRYPTED = "encrypted"
    RENAMED = "renamed"
    REMOVED = "removed"


class AnomalyState(str, Enum):
    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of files between two states. `files`: in the older. `changed`: other content under the same name, or replaced by one of a name
    made of theirs; `encrypted`: of those the ones that lost what could be compressed or told their type. `renamed`: same content, other
    ending of the name. `removed`: gone, unchanged for a day before, and nowhere else."""

    at: datetime
    files: int
    added: int = 0
    changed: int = 0
    encrypted: int = 0
    renamed: int = 0
    removed: int = 0


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """`count` files in the last minutes, where `usual` is the most that would be none. `since`: the state before the first of them."""

    kind: AnomalyKind
    count: int
    usual: int
    windows: int


class Suspicion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fact that the last clean point of a dataset bears: from `since` on (to `until`, null = to now) states are suspect. `hold_until`:
    until then no keep rule lets that point go, nor those before it."""

    id: str
    since: datetime
    state: AnomalyState = AnomalyState.OPEN
    until: datetime | None = None
    hold_until: datetime | None = None


class Anomaly(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`clean_at`: capture time of the last state before it, `clean_point` the newest point that is no later (empty = there is none).
    `counts`: by kind of signal, files, and what would have been usual. `paths`: some of the files. `by`: who judged it.
    `moments_from`: where moments are kept, those captured since then are held as points are (None = there are none)."""

    id: str
    dataset: str
    dataset_id: DatasetId
    repository: str
    found_at: datetime
    clean_at: datetime
    since: datetime
    state: AnomalyState = AnomalyState.OPEN
    signals: tuple[Signal, ...] = ()
    files: int = 0
    changed: int = 0
    paths: tuple[str, ...] = ()
    clean_point: PointId = PointId("")
    until: datetime | None = None
    hold_until: datetime | None = None
    moments_from: datetime | None = None
    by: str = ""

    @property
    def suspicion(self) -> Suspicion:
        return Suspicion(id=self.id, since=self.since, state=self.state, until=self.until, hold_until=self.hold_until)


class AskJudgeAnomaly(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """`confirmed`: it was what it looked like, and states from now on are clean again. Else it was not: nothing is suspect, nothing held.
    `id` or the beginning of it. `by`: who says so; the Master says it, a machine's own user needs not."""

    id: str
    confirmed: bool
    by: str = ""


class AnomalyJudged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    anomalies: tuple[Anomaly, ...]


def trailing(windows: Sequence[Window]) -> int:
    """How many of the newest windows count together: those of the last minutes, the newest always. Oldest first."""
    if not windows:
        return 0
    begin = windows[-1].at - timedelta(seconds=TRAIL_S)
    return max(1, sum(window.at > begin for window in windows))


def judge(windows: Sequence[Window]) -> tuple[Signal, ...]:
    """What the newest of these windows (oldest first) gives away, together with those just before it."""
    count = trailing(windows)
    if not count:
        return ()
    now, before = windows[-count:], windows[:-count]
    files = max(window.files for window in now)
    signals = []
    encrypted = sum(window.encrypted for window in now)
    floor = max(_LEAST_ENCRYPTED, min(_MOST_ENCRYPTED, round(_ENCRYPTED_RATIO * files)))
    usual = max(floor - 1, usual_of([window.encrypted for window in before]))
    changed = sum(window.changed for window in now)
    if encrypted > usual and (encrypted >= _ENCRYPTED_SHARE * changed or encrypted >= _MOST_ENCRYPTED):
        signals.append(Signal(kind=AnomalyKind.ENCRYPTED, count=encrypted, usual=usual, windows=_since(now, "encrypted")))
    if len(windows) <= WARM_UP_WINDOWS:
        return tuple(signals)
    for kind, name, least, ratio in (
        (AnomalyKind.RENAMED, "renamed", _LEAST_RENAMED, _RENAMED_RATIO),
        (AnomalyKind.REMOVED, "removed", _LEAST_REMOVED, _REMOVED_RATIO),
    ):
        found = sum(int(getattr(window, name)) for window in now)
        usual = max(least - 1, round(ratio * files), usual_of([int(getattr(window, name)) for window in before]))
        if found > usual:
            signals.append(Signal(kind=kind, count=found, usual=usual, windows=_since(now, name)))
    return tuple(signals)


def usual_of(history: Sequence[int]) -> int:
    """The most that would surprise nobody: far outside the middle of the history (median and median absolute deviation), and clearly more
    than it ever was."""
    if not history:
        return 0
    middle = median(history)
    spread = _MAD_SCALE * median([abs(value - middle) for value in history])
    return round(max(middle + _MAD_TIMES * spread, _PEAK_TIMES * max(history)))


def _since(now: Sequence[Window], name: str) -> int:
    """How many windows back the first of it is; 1 = the newest."""
    first = next(index for index, window in enumerate(now) if getattr(window, name))
    return len(now) - first


def joined(known: Anomaly, fresh: Anomaly) -> Anomaly:
    """The same attack, going on."""
    signals = {signal.kind: signal for signal in known.signals}
    for signal in fresh.signals:
        before = signals.get(signal.kind)
        signals[signal.kind] = signal if before is None or signal.count > before.count else before
    return msgspec.structs.replace(
        known,
        signals=tuple(signals.values()),
        changed=max(known.changed, fresh.changed),
        paths=tuple(dict.fromkeys((*known.paths, *fresh.paths)))[:_MOST_PATHS],
        hold_until=fresh.hold_until if known.hold_until is not None else None,
    )


def words_of(anomaly: Anomaly) -> str:
    """For people: what, how much, since when."""
    parts = []
    for signal in anomaly.signals:
        verb = {
            AnomalyKind.ENCRYPTED: "look encrypted",
            AnomalyKind.RENAMED: "got another ending of the name",
            AnomalyKind.REMOVED: "were removed",
        }[signal.kind]
        parts.append(f"{signal.count:,} files {verb} within minutes (at most {signal.usual:,} would be usual)")
    first = f", {anomaly.paths[0]} for example" if anomaly.paths else ""
    clean = f"The last clean moment is {anomaly.clean_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{anomaly.dataset}: {' and '.join(parts) or 'it was being destroyed'}{first}; it has {anomaly.files:,} files. {clean}"


def last_clean(anomalies: Sequence[Anomaly], dataset: str) -> datetime:
    """The moment before the newest anomaly of a dataset (label or id) that was not dismissed; where several repositories tell of it, the
    earliest of theirs that nobody has judged. Raises `UnknownName` when there is none."""
    own = [each for each in anomalies if dataset in (each.dataset, each.dataset_id) and each.state is not AnomalyState.DISMISSED]
    if opened := [each.clean_at for each in own if each.state is AnomalyState.OPEN]:
        return min(opened)
    if not own:
        raise UnknownName(f"there was no anomaly of {dataset!r}: its newest state is clean", hint="leave the time out for the newest")
    return max(own, key=lambda each: each.since).clean_at


# What people are to see of the points of one dataset.


def is_suspect(suspicions: Sequence[Suspicion], at: datetime) -> str:
    """The id of the anomaly in whose time a state was captured; empty = none."""
    for suspicion in suspicions:
        if suspicion.state is not AnomalyState.DISMISSED and at >= suspicion.since and (suspicion.until is None or at <= suspicion.until):
            return suspicion.id
    return ""


def held_until(suspicions: Sequence[Suspicion], at: datetime) -> datetime | None:
    """Until when a state captured at this time is held; None = it is not."""
    holds = [
        suspicion.hold_until
        for suspicion in suspicions
        if suspicion.hold_until is not None and suspicion.state is not AnomalyState.DISMISSED and at < suspicion.since
    ]
    return max(holds, default=None)
