"""When to try again what failed and may succeed by itself. Pure but for its own table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from holdfast.core.clock import ns_of
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts, WindowClosed
from holdfast.node.records.job_book import Signature

BACK_OFF_S = (2.0, 5.0, 15.0, 60.0, 300.0)
"""Waits before the attempts; the last one for ever, but that of captures `MOST_CAPTURES` times."""
MOST_CAPTURES = 60
"""A capture that failed so often (some five hours) waits for its next run. Who was only away is always brought up to date."""
_JITTER = 0.2
"""By so much of it a wait may be shorter, so that many who lost the same receiver do not all come back at one moment."""

_FOR_A_PLACE_S = 60.0
"""The longest wait where a repository only had as many jobs as it takes: some job of them may end at any moment."""

WORKER_DIED = "worker-died"
_DIED_BACK_OFF_S = (2.0, 2.0, 5.0, 5.0, 15.0, 15.0, 60.0, 300.0)
"""A worker that was killed is back at once. One that dies of what it runs must not be kept from all else it does."""

_FIRST_BACK_OFF_S = (2.0, 2.0, 2.0, 2.0, 5.0, 5.0, 5.0, 15.0, 15.0, 60.0, 300.0)
"""What was never there: its receiver may be about to start, or to get its rules, like this machine a moment ago."""

_HEALS = frozenset({"not-granted", WORKER_DIED})
"""Besides what says `retryable`: a grant comes with the receiver's next rules, a worker is started anew."""

Kind = Literal["capture", "catch-up", "cascade"]


def may_heal(error: ErrorFacts | None) -> bool:
    return error is not None and (error.retryable or error.code in _HEALS)


@dataclass(frozen=True, kw_only=True)
class Retry:
    """`subject` is a dataset or cascade id. `operations` of a capture that never came to be. `failure`: how it failed last.
    `not_before_ns`: when a window opens, if it waits for nothing else; 0 = it does not. `for_a_place`: a repository that it is for has as
    many jobs as it takes, whatever else may be in the way. `is_first`: of some of it nothing has ever arrived."""

    subject: str
    kind: Kind
    next_ns: int = 0
    attempts: int = 0
    operations: tuple[str, ...] = ()
    failure: Signature = frozenset()
    not_before_ns: int = 0
    for_a_place: bool = False
    is_first: bool = False

    @property
    def is_of_death(self) -> bool:
        """Whether the worker that was at it died."""
        return any(code == WORKER_DIED for _, code in self.failure)


def opening_ns(errors: Iterable[ErrorFacts | None]) -> int:
    """When the first of the closed windows opens, where they are all that is in the way; 0 = they are not."""
    troubles = [error for error in errors if may_heal(error)]
    opens = [until for error in troubles if (until := _until_ns(error))]
    return min(opens) if opens and len(opens) == len(troubles) else 0


def _until_ns(error: ErrorFacts | None) -> int:
    if error is None or not WindowClosed.says(error):
        return 0
    try:
        return ns_of(datetime.fromisoformat(error.context.get("until", "")))
    except ValueError:
        # It does not open within a year, or another version told it.
        return 0


class Retries:
    """At most one entry a subject."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._drawn = (0, 0.0)
        self._entries: dict[str, Retry] = {}

    def failed(self, retry: Retry, now_ns: int, *, was_attempt: bool) -> None:
        """Note a failure. An attempt of ours moves on in the back-off; an ordinary run that fails beside it does not."""
        known = self._entries.get(retry.subject)
        if known is None:
            attempts, next_ns = 0, self._after(now_ns, 0, retry)
        elif (known.for_a_place and not retry.for_a_place) or (retry.is_of_death and not known.is_of_death):
            # Who has waited long for a place, or for a receiver, has not failed so often: another trouble is its first.
            attempts, next_ns = 0, self._after(now_ns, 0, retry)
        elif was_attempt:
            attempts, next_ns = known.attempts + 1, self._after(now_ns, known.attempts + 1, retry)
            if retry.kind == "capture" and attempts >= MOST_CAPTURES and not retry.for_a_place:
                self.clear(retry.subject)
                return
        else:
            attempts, next_ns = known.attempts, known.next_ns
        self._entries[retry.subject] = replace(retry, attempts=attempts, next_ns=max(next_ns, retry.not_before_ns))

    def postpone(self, subject: str, until_ns: int) -> None:
        """A window is closed until then."""
        self._entries[subject] = replace(self._entries[subject], next_ns=until_ns, not_before_ns=until_ns)

    def forget_windows(self, now_ns: int) -> None:
        """There are new rules: what waits for a window is looked at anew."""
        for subject, retry in self._entries.items():
            if retry.not_before_ns:
                self._entries[subject] = replace(retry, next_ns=now_ns, not_before_ns=0)

    def clear(self, subject: str) -> None:
        self._entries.pop(subject, None)

    def entries(self) -> dict[str, Retry]:
        return dict(self._entries)

    def knows(self, subject: str) -> bool:
        return subject in self._entries

    def keep_only(self, subjects: set[str]) -> None:
        for subject in set(self._entries) - subjects:
            del self._entries[subject]

    def due(self, now_ns: int, busy: set[str]) -> tuple[Retry, ...]:
        """Those whose time has come and whose subject is not busy. Further ahead than the longest wait is only what was noted before the
        clock was set back: how long it still had to wait is not known."""
        latest_ns = now_ns + int(BACK_OFF_S[-1] * 1_000_000_000)
        return tuple(
            retry
            for retry in self._entries.values()
            if (retry.next_ns <= now_ns or (retry.next_ns > latest_ns and not retry.not_before_ns)) and retry.subject not in busy
        )

    def next_ns(self, busy: set[str]) -> int | None:
        return min((retry.next_ns for retry in self._entries.values() if retry.subject not in busy), default=None)

    def _after(self, now_ns: int, attempts: int, retry: Retry) -> int:
        waits_s = _DIED_BACK_OFF_S if retry.is_of_death else _FIRST_BACK_OFF_S if retry.is_first else BACK_OFF_S
        wait_s = waits_s[min(attempts, len(waits_s) - 1)]
        if retry.for_a_place:
            wait_s = min(wait_s, _FOR_A_PLACE_S)
        if self._drawn[0] != now_ns:
            # What failed at one moment is tried again together, in one job.
            self._drawn = (now_ns, _JITTER * int.from_bytes(self._entropy.token_bytes(4), "big") / 2**32)
        return now_ns + int(wait_s * (1 - self._drawn[1]) * 1_000_000_000)
