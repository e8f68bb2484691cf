"""The service: rules and channels as people change them, and the task that looks, tells and delivers.

What is to be told and up to where was looked are one transaction, so that a Master that dies in between tells it once it is back. A message
is removed once its service took it: one that dies in between sends it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.orm import Session

from holdfast.compiler.parse import parse_document
from holdfast.core.errors import Conflict, HoldfastError, NotReachable, Refused, UnknownName, UsageError
from holdfast.core.ids import NodeId
from holdfast.master.documents.environment import newest_revision
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.looks import Looks
from holdfast.master.hub.presence import Presence
from holdfast.master.hub.roll_call import node_views
from holdfast.master.notifying import channels, scripts, sending
from holdfast.master.notifying.conditions import OF_DATASETS, Look, conditions, failed_job, said
from holdfast.master.notifying.planning import JOBS_KEPT, Plan, Seen, StandingNotice, plan, standing_notices, told_lines
from holdfast.master.notifying.wording import Attachment, Message, message_of
from holdfast.master.periodic import repeat
from holdfast.master.records import happenings, notifications, report_schedules
from holdfast.master.records.notifications import StoredRule, Waiting
from holdfast.master.rules.deployment import deployment
from holdfast.model.jobs import Severity
from holdfast.model.node_status import NodeStatus
from holdfast.model.notifications import Notice, NotifyRule, check_name, chosen_by, validate_rule

LOOK_EVERY_S = 10.0
CONDITIONS_EVERY_S = 60.0
FIRST_DELAY_S, LAST_DELAY_S = 30.0, 3_600.0
_EVENTS, _JOBS, _MESSAGES = 500, 200, 200
SEND_TIMEOUT_S = 60.0
logger = logging.getLogger(__name__)


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """`service`: what stands before `://` in its address, which is shown to nobody. `waiting`: messages that are not delivered yet.
    `failing_since`: nothing was taken since then, `error` says why."""

    name: str
    service: str
    changed_at: datetime
    sent_at: datetime | None
    failing_since: datetime | None
    error: str
    waiting: int


class NotificationsView(msgspec.Struct, frozen=True, kw_only=True):
    """`rules` in the order in which they are asked."""

    rules: tuple[NotifyRule, ...]
    channels: tuple[ChannelView, ...]


class NotificationsNow(msgspec.Struct, frozen=True, kw_only=True):
    """`notices`: what stands now. `unknown`: nodes of which nothing is known since the Master started."""

    notices: tuple[StandingNotice, ...]
    unknown: tuple[str, ...]


class Notifications:
    def __init__(self, base: Foundation, hub: Hub, looks: Looks) -> None:
        self._base = base
        self._hub = hub
        self._looks = looks
        self._up_since = base.now()
        self._looked_at_s: float | None = None
        self._working = asyncio.Lock()
        self._tags: tuple[int, dict[str, tuple[str, ...]]] = (0, {})

    async def view(self) -> NotificationsView:
        return await self._base.database.run(_view)

    async def now(self) -> NotificationsNow:
        """What stands, and what each rule makes of it. Asks the nodes; tells nobody."""
        presence = self._hub.presence()
        await self._looks.glance((await self._base.database.run(deployment)).rules.keys() & presence.online)

        def read(session: Session) -> NotificationsNow:
            look = self._look(session, presence)
            told = notifications.told(session)
            notices = standing_notices(notifications.rules(session), told, conditions(look).values(), look.now)
            return NotificationsNow(notices=notices, unknown=tuple(sorted(look.unknown_nodes())))

        return await self._base.database.run(read)

    async def set_rule(self, rule: NotifyRule, place: int | None) -> NotificationsView:
        """A new rule, or another one of that name. `place` from 0; None = where it is, a new one last. Raises `UsageError`."""

        def work(session: Session) -> NotificationsView:
            validate_rule(rule, (each.name for each in notifications.channels(session)))
            known = [each.rule for each in notifications.rules(session)]
            at = next((n for n, each in enumerate(known) if each.name == rule.name), len(known))
            kept = [each for each in known if each.name != rule.name]
            kept.insert(at if place is None else place, rule)
            notifications.set_rules(session, kept, self._base.now())
            return _view(session)

        return await self._base.database.run(work)

    async def remove_rule(self, name: str) -> None:
        """Raises `UnknownName`."""

        def work(session: Session) -> None:
            known = [each.rule for each in notifications.rules(session)]
            if all(rule.name != name for rule in known):
                raise UnknownName(f"there is no notify rule {name!r}", hint="`holdfast notify ls` lists them", rule=name)
            notifications.set_rules(session, (rule for rule in known if rule.name != name), self._base.now())

        await self._base.database.run(work)

    async def set_channel(self, name: str, url: str) -> NotificationsView:
        """A new channel, or another address of one. Raises `UsageError` for an address that nothing understands."""
        check_name(name, "channel")
        service = channels.service_of(url)
        await asyncio.to_thread(self._check_address, service, url)
        sealed = channels.seal(self._base.authority, self._base.entropy, name, url)

        def work(session: Session) -> NotificationsView:
            notifications.set_channel(session, name, service, sealed, self._base.now())
            return _view(session)

        return await self._base.database.run(work)

    async def remove_channel(self, name: str) -> None:
        """Raises `UnknownName`, `Conflict` while a rule names it."""

        def work(session: Session) -> None:
            users = [each.rule.name for each in notifications.rules(session) if name in each.rule.to]
            users += [each.schedule.name for each in report_schedules.report_schedules(session) if name in each.schedule.to]
            if users:
                hint = "change or remove what names it first"
                raise Conflict(f"channel {name!r} is named by {', '.join(users)}", hint=hint, channel=name)
            notifications.remove_channel(session, name)

        await self._base.database.run(work)

    async def test(self, name: str) -> None:
        """Send a message now. Raises `UnknownName`, `Refused`, or `NotReachable` when the service does not take it."""
        title = f"Holdfast {self._base.environment.name}: a test"
        body = f"This is a test of channel {name}. Nothing is wrong."
        await self._send(name, Message(title=title, body=body, severity=Severity.INFO))

    async def post(self, name: str, message: Message, attached: Attachment) -> None:
        """Send a message with a file now. Raises as `test`."""
        await self._send(name, message, attached)

    async def run(self) -> None:
        """Look, tell and deliver until cancelled."""
        await repeat(self.work, LOOK_EVERY_S, logger, "notifications could not be worked off")

    async def work(self) -> None:
        """Look, then deliver; one at a time, so that nothing is told twice."""
        async with self._working:
            await self._look_around()
            await self._deliver_due()

    async def _look_around(self) -> None:
        """Put into the queue what has come up since the last look. Nodes are asked once a minute; and when the log has something to tell,
        so that what it says and what stands are not told twice."""
        rules, has_lines = await self._base.database.run(self._what_is_new)
        if not rules:
            return
        now_s = self._base.clock.monotonic_s()
        is_full = has_lines or self._looked_at_s is None or now_s - self._looked_at_s >= CONDITIONS_EVERY_S
        presence = self._hub.presence()
        if is_full:
            self._looked_at_s = now_s
            await self._looks.glance((await self._base.database.run(deployment)).rules.keys() & presence.online)
            await self._base.database.run(lambda s: self._tell(s, rules, presence))

    async def _deliver_due(self) -> None:
        """Send what is due: to each channel one message of all that waits for it."""
        found = await self._base.database.run(lambda s: notifications.due(s, self._base.now(), _MESSAGES))
        by_channel: dict[str, list[Waiting]] = {}
        for waiting in found:
            by_channel.setdefault(waiting.channel, []).append(waiting)
        await asyncio.gather(*(self._deliver(name, messages) for name, messages in by_channel.items()))

    def _what_is_new(self, session: Session) -> tuple[tuple[StoredRule, ...], bool]:
        """The rules, and whether the log has a line for one of them. Without a rule the log counts as looked at: what was there before the
        first one is not told."""
        rules = notifications.rules(session)
        after = notifications.cursor(session)
        if not any(each.rule.enabled for each in rules):
            notifications.set_cursor(session, happenings.last_event(session))
            return (), False
        look = self._look(session, Presence()) if happenings.last_event(session) > after else None
        if look is None:
            return rules, False
        events = happenings.events_after(session, after, _EVENTS)
        ordered = [each.rule for each in rules]
        if any(True for number, event in events for _ in chosen_by(ordered, said(look, number, event))):
            return rules, True
        notifications.set_cursor(session, events[-1][0])
        return rules, False

    def _tell(self, session: Session, rules: tuple[StoredRule, ...], presence: Presence) -> None:
        look = self._look(session, presence)
        events = happenings.events_after(session, notifications.cursor(session), _EVENTS)
        jobs = notifications.failed_jobs(session, look.now - JOBS_KEPT, _JOBS)
        seen = Seen(
            now=look.now,
            conditions=conditions(look),
            unknown_nodes=look.unknown_nodes(),
            jobs=tuple(failed_job(look, job) for job in jobs if job.kind not in OF_DATASETS),
        )
        made = plan(rules, notifications.told(session), seen)
        lines = (said(look, number, event) for number, event in events)
        made.messages += told_lines(rules, lines, seen.conditions.values())
        self._keep(session, made, look.now)
        if events:
            notifications.set_cursor(session, events[-1][0])

    def _look(self, session: Session, presence: Presence) -> Look:
        rolled_out = deployment(session)
        known = ((node, self._looks.last_known(node)) for node in rolled_out.rules)
        told: dict[NodeId, NodeStatus] = {node: status for node, status in known if status is not None}
        return Look(
            now=self._base.now(),
            up_since=self._up_since,
            rolled_out=rolled_out,
            nodes=node_views(session, presence),
            told=told,
            tags=self._tags_of(session),
        )

    def _tags_of(self, session: Session) -> dict[str, tuple[str, ...]]:
        """Of the nodes, as the newest document says."""
        revision = newest_revision(session)
        if revision.number != self._tags[0]:
            document = parse_document(revision.text).document
            nodes = document.nodes if document is not None else ()
            self._tags = (revision.number, {node.name: node.tags for node in nodes})
        return self._tags[1]

    def _keep(self, session: Session, made: Plan, now: datetime) -> None:
        for rule, key in made.forgotten:
            notifications.forget_told(session, rule, key)
        for rule, notice, told_at in made.stands:
            notifications.set_told(session, rule, notice, told_at)
        for told_by, notices in _by_rule(made.messages):
            due_at = told_by.send_at(now + timedelta(seconds=told_by.digest_s))
            for channel in told_by.to:
                notifications.enqueue(session, (told_by.name, channel), notices, now, due_at)

    async def _deliver(self, name: str, messages: list[Waiting]) -> None:
        notices = [notice for message in messages for notice in message.notices]
        try:
            await self._send(name, message_of(notices, self._base.environment.name))
        except UnknownName:
            await self._base.database.run(lambda s: _drop(s, messages))
        except HoldfastError:
            now = self._base.now()
            again = now + timedelta(seconds=_delay_s(max(message.attempts for message in messages)))
            await self._base.database.run(lambda s: _postpone(s, messages, now, again))
        else:
            await self._base.database.run(lambda s: _drop(s, messages))

    async def _send(self, name: str, message: Message, attached: Attachment | None = None) -> None:
        """Raises `UnknownName`, `Refused`, `NotReachable`; how it went is on record."""
        channel = await self._base.database.run(lambda s: notifications.channel(s, name))
        try:
            url = channels.unseal(self._base.authority, name, channel.sealed_url)
            await asyncio.wait_for(asyncio.to_thread(self._hand_over, url, message, attached), SEND_TIMEOUT_S)
        except TimeoutError:
            await self._note(name, f"the service did not answer within {SEND_TIMEOUT_S:.0f} s")
            raise Refused(f"channel {name!r} did not answer within {SEND_TIMEOUT_S:.0f} s", hint="see whether the service is up") from None
        except HoldfastError as error:
            await self._note(name, error.message)
            raise
        await self._note(name, "")

    def _check_address(self, service: str, url: str) -> None:
        """Raises `UsageError`."""
        if service == scripts.SERVICE:
            scripts.script_at(self._base.config.home, url)
        else:
            sending.check_address(url)

    def _hand_over(self, url: str, message: Message, attached: Attachment | None) -> None:
        """Raises `NotReachable`. Blocks."""
        if channels.service_of(url) != scripts.SERVICE:
            sending.send(url, message, attached)
            return
        try:
            script = scripts.script_at(self._base.config.home, url)
        except UsageError as error:
            raise NotReachable(error.message, hint=error.hint) from error
        scripts.run_script(script, message)

    async def _note(self, name: str, error: str) -> None:
        now = self._base.now()
        await self._base.database.run(lambda s: notifications.note_delivery(s, name, now, error))


def _view(session: Session) -> NotificationsView:
    waiting = notifications.waiting(session)
    return NotificationsView(
        rules=tuple(each.rule for each in notifications.rules(session)),
        channels=tuple(
            ChannelView(
                name=each.name,
                service=each.service,
                changed_at=each.changed_at,
                sent_at=each.sent_at,
                failing_since=each.failing_since,
                error=each.error,
                waiting=waiting.get(each.name, 0),
            )
            for each in notifications.channels(session)
        ),
    )


def _by_rule(messages: Iterable[tuple[NotifyRule, Notice]]) -> list[tuple[NotifyRule, tuple[Notice, ...]]]:
    """What one rule tells in one look is one message."""
    found: dict[str, tuple[NotifyRule, list[Notice]]] = {}
    for rule, notice in messages:
        found.setdefault(rule.name, (rule, []))[1].append(notice)
    return [(rule, tuple(notices)) for rule, notices in found.values()]


def _delay_s(attempts: int) -> float:
    return float(min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** min(attempts, 12)))


def _drop(session: Session, messages: list[Waiting]) -> None:
    for message in messages:
        notifications.delivered(session, message.number)


def _postpone(session: Session, messages: list[Waiting], now: datetime, again: datetime) -> None:
    for message in messages:
        notifications.try_again(session, message.number, now, again)
