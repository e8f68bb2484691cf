"""What the source worker says of the datasets it follows, as the agent shows it: standing findings, and an event for each gap.

A worker knows the gaps of its own life. What was shown once is shown on, whoever dies: `HOME/gaps.json`, the newest of each dataset.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId
from holdfast.core.units import format_utc
from holdfast.host.home_records import load_record, save_record
from holdfast.model.entry import display_path
from holdfast.model.following import GAPS_SHOWN, Following, FollowState
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import Finding, Severity

PATIENCE = timedelta(seconds=60)
"""Who is away for so long, or for a reason that does not pass by itself, is trouble."""

logger = logging.getLogger(__name__)

_FILE = "gaps.json"
_NO_LONGER_FOLLOWED = timedelta(days=30)
"""So long the gaps of one that is not followed any more are remembered: perhaps it is again."""

_SLOWER_HINT = "see what the mover is slow for (its limit, the line, the receiver); when the spool is full the oldest states become one"


class RecordEvent(Protocol):
    def __call__(self, code: str, severity: Severity, message: str, **facts: str) -> None: ...


class FollowedHere:
    """`record` is given each gap once it is healed, with its beginning and end."""

    def __init__(self, record: RecordEvent, clock: Clock, home: Path) -> None:
        self._record = record
        self._clock = clock
        self._path = home / _FILE
        self._known: dict[DatasetId, Following] = {}
        self._told: dict[DatasetId, tuple[Gap, ...]] = {}
        self._gaps = load_record(self._path, dict[DatasetId, tuple[Gap, ...]]) or {}

    @property
    def now(self) -> tuple[Following, ...]:
        """In the order of the rules."""
        return tuple(self._known.values())

    @property
    def findings(self) -> list[Finding]:
        return [finding for each in self._known.values() if (finding := _finding(each, now(self._clock))) is not None]

    def heard(self, following: tuple[Following, ...]) -> None:
        is_news = False
        for each in following:
            shown = self._gaps.get(each.dataset_id, ())
            told = {*shown, *self._told.get(each.dataset_id, ())}
            new = [gap for gap in each.gaps if gap not in told]
            for gap in reversed(new):
                self._tell(each, gap)
            if new:
                is_news = True
                self._gaps[each.dataset_id] = tuple(sorted({*shown, *new}, key=lambda gap: gap.until, reverse=True)[:GAPS_SHOWN])
        self._told = {each.dataset_id: each.gaps for each in following}
        self._known = {each.dataset_id: self._shown(each) for each in following}
        if is_news:
            self._remember()

    def _shown(self, each: Following) -> Following:
        return msgspec.structs.replace(each, gaps=self._gaps.get(each.dataset_id, ()))

    def _remember(self) -> None:
        oldest = now(self._clock) - _NO_LONGER_FOLLOWED
        self._gaps = {id_: gaps for id_, gaps in self._gaps.items() if id_ in self._known or gaps[0].until >= oldest}
        try:
            save_record(self._path, self._gaps)
        except OSError as error:
            logger.warning("gaps cannot be written down", extra={"facts": {"path": str(self._path), "error": str(error)}})

    def lost(self) -> None:
        """The worker died: until it is back nothing is followed."""
        error = ErrorFacts("worker-died", "the node's worker died and is started again", "what it missed is looked at then", True)
        self._known = {id_: msgspec.structs.replace(each, state=FollowState.WAITING, error=error) for id_, each in self._known.items()}

    def _tell(self, each: Following, gap: Gap) -> None:
        since, until = format_utc(gap.since), format_utc(gap.until)
        span = f"{since} to {until}"
        where, why = display_path(gap.path), gap.reason.value
        what = f"{each.dataset}: from {span} changes below {where} may have gone unseen ({why}); what is there now is known again"
        thinned = f"{each.dataset}: of {span} not every state below {where} could be kept for a receiver that was away ({why})"
        refused = f"{each.dataset}: what was below {where} from {span} was kept by nobody, since the source was refused ({why})"
        message = {GapReason.THINNED: thinned, GapReason.VANISHED: refused}.get(gap.reason, what)
        self._record("gap", Severity.WARNING, message, dataset=each.dataset, path=where, reason=why, since=since, until=until)


def _finding(each: Following, moment: datetime) -> Finding | None:
    if each.state is FollowState.WAITING and each.error is not None:
        known = (each.pending_since, *(spooled.since for spooled in each.spooled))
        oldest = min((since for since in known if since is not None), default=moment)
        severity = Severity.ERROR if moment - oldest > PATIENCE or not each.error.retryable else Severity.WARNING
        where = "waits in this machine's spool" if each.spooled else "is not delivered"
        message = f"{each.dataset}: what changes {where}: {each.error.message}"
        return Finding(code=each.error.code, severity=severity, message=message, hint=each.error.hint)
    if each.state is FollowState.NOT_WATCHED:
        why = f": {each.error.message}" if each.error is not None else ""
        message = f"{each.dataset} cannot be watched here{why}; changes are found by looking at all of it now and then"
        return Finding(
            code="not-watched", severity=Severity.WARNING, message=message, hint=each.error.hint if each.error is not None else ""
        )
    slower = next((spooled for spooled in each.spooled if spooled.falls_behind), None)
    if slower is not None:
        message = f"{each.dataset} changes faster than {slower.receiver} takes it: what waits in this machine's spool becomes more"
        return Finding(code="mover-slower", severity=Severity.WARNING, message=message, hint=_SLOWER_HINT)
    if each.open_gap_since is not None:
        message = f"{each.dataset}: since {format_utc(each.open_gap_since)} changes may have gone unseen"
        return Finding(code="gap", severity=Severity.WARNING, message=message, hint="all of it is being looked at; nothing is to be done")
    return None
