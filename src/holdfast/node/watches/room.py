"""Looks now and then at the room that repositories have left, and tells when one gets nearly full, full, or has room again."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.core.clock import Clock, now
from holdfast.model.jobs import Event, Severity
from holdfast.model.room import Room, room_finding, room_words
from holdfast.model.rules import RepositoryRule, Rules
from holdfast.node.owned.repositories import Repositories
from holdfast.node.workers.periodic import Periodic

LOOK_EVERY_S = 60.0


class RoomWatch(Periodic):
    """`rules` gives those in force, None = none yet."""

    def __init__(
        self, repositories: Repositories, rules: Callable[[], Rules | None], tell: Callable[[Event], None], *, clock: Clock
    ) -> None:
        super().__init__("room-watch", LOOK_EVERY_S)
        self._repositories = repositories
        self._rules = rules
        self._tell = tell
        self._clock = clock

    def look(self) -> None:
        """Once, at each repository. Never raises."""
        rules = self._rules()
        for rule in self._repositories.rules() if rules is not None else ():
            room = self._repositories.rooms.news(rule)
            if room is not None and rules is not None:
                self._tell(self._event(rule, room, rules))

    def _event(self, rule: RepositoryRule, room: Room, rules: Rules) -> Event:
        moment = now(self._clock)
        finding = room_finding(rule.name, room, moment)
        facts = {"repository": rule.name, "free_bytes": str(room.free_bytes)}
        if finding is None:
            message = f"repository {rule.name} has room again: {room_words(room, moment)}"
            return Event(code="repository-has-room", severity=Severity.INFO, message=message, node=rules.node, time=moment, facts=facts)
        told = {**facts, "hint": finding.hint}
        return Event(
            code="repository-nearly-full", severity=finding.severity, message=finding.message, node=rules.node, time=moment, facts=told
        )
