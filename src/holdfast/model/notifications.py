"""Notifications: what is told to whom. Values, and which rule takes which notice; pure.

A *notice* is one thing worth telling. It is either a line of the log (`said`), or a *condition* that stands for a while: it `began`, and is
`over` later. A *notify rule* chooses notices and names channels. Rules are asked in their order; one with `stop` ends the asking for what
it chooses. A *channel* is a place to send to; its URL holds secrets and is in no value here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import Enum
from fnmatch import fnmatchcase

import msgspec

from holdfast.core.errors import UsageError
from holdfast.model.jobs import Severity
from holdfast.model.schedule import next_open
from holdfast.model.spans import parse_zone
from holdfast.model.windows import parse_window

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_ORDER = (Severity.INFO, Severity.WARNING, Severity.ERROR)
LONGEST_S = 366 * 86_400.0


class NoticeChange(str, Enum):
    BEGAN = "began"
    OVER = "over"
    SAID = "said"


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`code` is that of a line of the log, of a finding or of a condition (docs/notifications.md). `subject`: the dataset, repository
    or node it is about, as people call it. `key` is the same for the beginning and the end of one condition. `since`: when it began, or was
    said."""

    code: str
    severity: Severity
    subject: str
    message: str
    since: datetime
    key: str
    change: NoticeChange = NoticeChange.SAID
    node: str = ""
    dataset: str = ""
    flows: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    hint: str = ""


class NotifyRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is empty chooses everything. `kinds`: codes of notices; they, `nodes` and `datasets` may hold `*`. `tags`: of the node, one of
    them is enough.

    `to`: names of channels. `stop`: rules behind this one do not see what it chose. `after_s`: a condition is told once it has stood that
    long. `digest_s`: what comes within that time after the first is one message. `repeat_s`: a condition that stands is told again that
    often; 0 = never. `quiet`: windows (as of schedules, in `zone`) in which nothing is sent; it waits for their end. `recovery`: tell the
    end of what was told. `enabled` false: as if the rule were not there.
    """

    name: str
    to: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    severity: Severity = Severity.WARNING
    nodes: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    stop: bool = False
    after_s: float = 0.0
    digest_s: float = 0.0
    repeat_s: float = 0.0
    quiet: tuple[str, ...] = ()
    zone: str = "UTC"
    recovery: bool = True
    enabled: bool = True

    def chooses(self, notice: Notice) -> bool:
        return (
            self.enabled
            and _ORDER.index(notice.severity) >= _ORDER.index(self.severity)
            and _fits(self.kinds, notice.code)
            and _fits(self.nodes, notice.node)
            and _fits(self.datasets, notice.dataset)
            and (not self.flows or not set(self.flows).isdisjoint(notice.flows))
            and (not self.tags or not set(self.tags).isdisjoint(notice.tags))
        )

    def send_at(self, now: datetime) -> datetime:
        """When what is to be sent now may go: behind the quiet hours. A rule that is always quiet is not kept waiting for ever."""
        return (next_open((), self.quiet, self.zone, now) or now) if self.quiet else now


def chosen_by(rules: Iterable[NotifyRule], notice: Notice) -> Iterator[NotifyRule]:
    """The rules that take it, in order, up to the first that stops."""
    for rule in rules:
        if rule.chooses(notice):
            yield rule
            if rule.stop:
                return


def validate_rule(rule: NotifyRule, channels: Iterable[str]) -> None:
    """Raises `UsageError` with what is wrong and where."""
    check_name(rule.name, "rule")
    if not rule.to:
        raise UsageError(f"rule {rule.name!r} names no channel", hint="name at least one in `to`")
    known = set(channels)
    for channel in rule.to:
        if channel not in known:
            hint = f"there is {', '.join(sorted(known))}" if known else "make one with `holdfast notify channel set NAME`"
            raise UsageError(f"rule {rule.name!r} sends to {channel!r}, which is no channel", hint=hint)
    for what, seconds in (("after_s", rule.after_s), ("digest_s", rule.digest_s), ("repeat_s", rule.repeat_s)):
        if not 0 <= seconds <= LONGEST_S:
            raise UsageError(f"{what} of rule {rule.name!r} must be from 0 to {LONGEST_S:.0f} seconds")
    if 0 < rule.repeat_s < 60:
        raise UsageError(f"rule {rule.name!r} would repeat every {rule.repeat_s:g} s", hint="a minute is the least")
    parse_zone(rule.zone)
    for text in rule.quiet:
        parse_window(text)


def check_name(name: str, what: str) -> None:
    """Raises `UsageError`."""
    if NAME.fullmatch(name) is None:
        raise UsageError(f"{name!r} cannot be the name of a {what}", hint="letters, digits, `_`, `.` and `-`, at most 63")


def _fits(patterns: tuple[str, ...], word: str) -> bool:
    return not patterns or any(fnmatchcase(word, pattern) for pattern in patterns)
