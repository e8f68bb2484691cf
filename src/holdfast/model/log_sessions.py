"""The line of the log with which a session begins."""

from __future__ import annotations

from holdfast.core.clock import utc
from holdfast.core.ids import NodeId
from holdfast.core.log_session import Ending, LogSession
from holdfast.model.jobs import Event, Severity

_ENDED = {
    Ending.FIRST: "it is the first one known",
    Ending.IN_ORDER: "the one before ended in order",
    Ending.KILLED: "the one before did not end in order: it was killed, or failed",
    Ending.RESTARTED: "the one before ended with the machine, which has been started again since",
}


def began_event(session: LogSession, node: NodeId) -> Event:
    """`node` empty: of the Master. A warning where the one before was cut off."""
    who = "the agent" if node else "the Master"
    since = f", of version {session.before_version}," if session.before_version not in ("", session.version) else ""
    ended = _ENDED[session.before].replace("the one before", f"the one before{since}", 1)
    facts = {"version": session.version, "before": session.before.value, "before_session": session.before_id, "boot": session.boot}
    return Event(
        code="session-began",
        severity=Severity.WARNING if session.before in (Ending.KILLED, Ending.RESTARTED) else Severity.INFO,
        message=f"{who} began session {session.id[:8]}, version {session.version}; {ended}",
        node=node,
        time=utc(session.began_ns),
        facts={name: value for name, value in facts.items() if value},
        session=session.id,
    )
