"""What is told to whom, from what stands, what was told before, and what was said since. Pure.

A condition that a rule chooses is told when it has stood for `after_s`, again every `repeat_s`, and once when it is over. What a rule does
not choose any more while it still stands is forgotten without a word: it is not over.

What is remembered of a time that is not yet was noted before the Master's clock was set back. It counts from now on: nothing waits for as
long as the clock was ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from holdfast.master.records.notifications import StoredRule, Told
from holdfast.model.jobs import Severity
from holdfast.model.notifications import Notice, NoticeChange, NotifyRule, chosen_by

JOBS_KEPT = timedelta(days=3)
"""So long it is known that a failed job was told."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """`conditions` by key. `unknown_nodes`: of these nothing is known just now. `jobs`: failed ones."""

    now: datetime
    conditions: Mapping[str, Notice]
    unknown_nodes: frozenset[str] = frozenset()
    jobs: tuple[Notice, ...] = ()


@dataclass(kw_only=True)
class Plan:
    """`messages`: what each rule tells now. `stands`: what is to be remembered of a rule and a condition: since when it stands (in the
    notice), and when it was told. `forgotten`: rule and key."""

    messages: list[tuple[NotifyRule, Notice]] = field(default_factory=list)
    stands: list[tuple[str, Notice, datetime | None]] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)


def plan(rules: Iterable[StoredRule], told: Mapping[tuple[str, str], Told], seen: Seen) -> Plan:
    """Of what stands, and of failed jobs. In the order of the rules; of one rule ends first, then beginnings."""
    stored = list(rules)
    ordered = [each.rule for each in stored]
    taken = {key: [rule.name for rule in chosen_by(ordered, notice)] for key, notice in seen.conditions.items()}
    made = Plan()
    for each in stored:
        _plan_ends(each.rule, told, seen, made)
        for key, notice in seen.conditions.items():
            if each.rule.name in taken[key]:
                _plan_condition(each.rule, told.get((each.rule.name, key)), notice, seen.now, made)
            elif (each.rule.name, key) in told:
                made.forgotten.append((each.rule.name, key))
        _plan_jobs(each, ordered, told, seen, made)
    return made


class RuleNow(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule makes of something that stands. `told_at`: when it told it last. `due_at`: when it is sent next, if it still stands then;
    null = not again."""

    rule: str
    to: tuple[str, ...]
    told_at: datetime | None
    due_at: datetime | None


class StandingNotice(msgspec.Struct, frozen=True, kw_only=True):
    """`rules`: those that choose it, in their order; none = nobody is told. `since`: since when it stands; null = that is not known, for no
    rule has looked for it before."""

    notice: Notice
    since: datetime | None
    rules: tuple[RuleNow, ...]


def standing_notices(
    rules: Iterable[StoredRule], told: Mapping[tuple[str, str], Told], conditions: Iterable[Notice], now: datetime
) -> tuple[StandingNotice, ...]:
    """What stands, with what each rule would tell of it: as `plan` decides, and nothing is told by looking. What is worst comes first."""
    ordered = [each.rule for each in rules]

    def of_rule(rule: NotifyRule, notice: Notice) -> RuleNow:
        known = told.get((rule.name, notice.key))
        told_at = _told_at(known, now)
        if told_at is not None:
            next_at = told_at + timedelta(seconds=rule.repeat_s) if rule.repeat_s else None
        else:
            since = min(known.notice.since if known is not None else notice.since, notice.since, now)
            next_at = since + timedelta(seconds=rule.after_s)
        due_at = rule.send_at(max(now, next_at) + timedelta(seconds=rule.digest_s)) if next_at is not None else None
        return RuleNow(rule=rule.name, to=rule.to, told_at=told_at, due_at=due_at)

    def standing(notice: Notice) -> StandingNotice:
        chosen = tuple(chosen_by(ordered, notice))
        seen = [known.notice.since for rule in chosen if (known := told.get((rule.name, notice.key))) is not None]
        since = min((*seen, notice.since))
        return StandingNotice(notice=notice, since=since if since < now else None, rules=tuple(of_rule(rule, notice) for rule in chosen))

    found = map(standing, conditions)
    return tuple(sorted(found, key=lambda each: (each.notice.severity is not Severity.ERROR, each.since or now, each.notice.key)))


def told_lines(rules: Iterable[StoredRule], said: Iterable[Notice], standing: Iterable[Notice]) -> list[tuple[NotifyRule, Notice]]:
    """Of lines of the log. What a finding says for as long as it stands is not told a second time because the log says it too."""
    ordered = [each.rule for each in rules]
    known = {(notice.code, notice.node) for notice in standing}
    return [(rule, notice) for notice in said if (notice.code, notice.node) not in known for rule in chosen_by(ordered, notice)]


def _told_at(known: Told | None, now: datetime) -> datetime | None:
    return None if known is None or known.told_at is None else min(known.told_at, now)


def _plan_condition(rule: NotifyRule, known: Told | None, notice: Notice, now: datetime, made: Plan) -> None:
    first = known.notice if known is not None else notice
    current = msgspec.structs.replace(notice, since=min(first.since, notice.since, now))
    told_at = _told_at(known, now)
    if told_at is None:
        is_due = (now - current.since).total_seconds() >= rule.after_s
    else:
        is_due = rule.repeat_s > 0 and (now - told_at).total_seconds() >= rule.repeat_s
    if is_due:
        made.messages.append((rule, current))
    is_ahead = known is not None and (known.notice.since > now or known.told_at != told_at)
    if is_due or known is None or is_ahead:
        made.stands.append((rule.name, current, now if is_due else told_at))


def _plan_ends(rule: NotifyRule, told: Mapping[tuple[str, str], Told], seen: Seen, made: Plan) -> None:
    for (name, key), known in told.items():
        if name != rule.name or key in seen.conditions or known.notice.node in seen.unknown_nodes:
            continue
        if known.notice.change is NoticeChange.SAID:
            # A job: it is remembered only so that it is told once.
            if seen.now - known.notice.since > JOBS_KEPT:
                made.forgotten.append((name, key))
            continue
        made.forgotten.append((name, key))
        if known.told_at is not None and rule.recovery and rule.enabled:
            made.messages.append((rule, msgspec.structs.replace(known.notice, change=NoticeChange.OVER)))


def _plan_jobs(stored: StoredRule, ordered: list[NotifyRule], told: Mapping[tuple[str, str], Told], seen: Seen, made: Plan) -> None:
    rule = stored.rule
    for job in seen.jobs:
        is_after = job.since >= stored.created_at or stored.created_at > seen.now
        is_new = is_after and (rule.name, job.key) not in told
        if is_new and any(each.name == rule.name for each in chosen_by(ordered, job)):
            made.messages.append((rule, job))
            made.stands.append((rule.name, job, seen.now))
