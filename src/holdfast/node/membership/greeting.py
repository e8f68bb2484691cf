"""What a node makes of its Master's greeting: whether to follow it, and what to tell one that was restored from its backup.

`HOME/rules/epoch` holds the highest epoch of a Master this node has followed. One with a lower is an old Master that came back after
another took its place; to follow both would be to obey two who contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from holdfast.core.clock import utc
from holdfast.core.errors import Refused, StoreError
from holdfast.core.private_files import write_private
from holdfast.core.units import format_utc
from holdfast.model.jobs import Severity
from holdfast.node.membership.audit_anchors import AuditAnchors
from holdfast.node.membership.rule_store import EPOCH_FILE, RuleStore, rules_folder
from holdfast.node.records.journal import Journal
from holdfast.wire.hub_messages import InForce, Welcome


class Greeting:
    """`event` as `Scheduler.record_event`. Used by the event loop's thread alone."""

    def __init__(self, home: Path, journal: Journal, rules: RuleStore, anchors: AuditAnchors, event: Callable[..., None]) -> None:
        self._path = rules_folder(home) / EPOCH_FILE
        self._journal = journal
        self._rules = rules
        self._anchors = anchors
        self._event = event
        self._refused = 0
        self.epoch = _read(self._path)

    def take(self, welcome: Welcome) -> InForce | None:
        """Raises `Refused` for a Master whose place another has taken, `StoreError` when it cannot be kept whom this node follows."""
        if welcome.epoch < self.epoch:
            self._refuse(welcome.epoch)
        if welcome.epoch > self.epoch:
            self._follow(welcome)
        self._anchors.told(welcome.audit, at_hello=True)
        signed = self._rules.signed
        return InForce(rules=signed) if signed is not None and 0 <= welcome.generation < self._rules.generation else None

    def _refuse(self, epoch: int) -> None:
        if self._refused != self.epoch:
            self._refused = self.epoch
            message = "a Master calls whose place another has taken, restored from a backup of it: this node follows the younger one"
            self._event("master-older", Severity.ERROR, message, epoch=str(epoch), followed=str(self.epoch))
        raise Refused(
            "another Master, restored from a backup, has taken this one's place",
            hint="stop the older Master; `holdfast node moved URL` tells a node where the younger one is",
        )

    def _follow(self, welcome: Welcome) -> None:
        """What the Master lost is told again first: cut off in between, it is told twice, which changes nothing."""
        count = self._journal.tell_again(welcome.since_ns)
        try:
            write_private(self._path, f"{welcome.epoch}\n".encode())
        except OSError as error:
            raise StoreError(f"which Master this node follows cannot be written down: {error}", hint="make room in HOME") from None
        self.epoch = welcome.epoch
        since = format_utc(utc(welcome.since_ns))
        message = f"the Master was restored from a backup of {since}; {count} jobs and events since then are told again"
        self._event("master-restored", Severity.WARNING, message, epoch=str(welcome.epoch), told=str(count))


def _read(path: Path) -> int:
    """0 where there is none, or it cannot be read: the next greeting says it again."""
    try:
        return max(0, int(path.read_text()))
    except (OSError, ValueError):
        return 0
