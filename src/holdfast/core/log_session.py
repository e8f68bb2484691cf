"""A session of the log: one life of a program that runs for long, the agent or the Master, from its start to its end.

A file beside what the program keeps says which session it is in, so that its worker processes log under it too, and the next start knows
how this one ended.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from holdfast.core.clock import Clock, boot_clock
from holdfast.core.entropy import Entropy
from holdfast.core.ids import new_id
from holdfast.core.log import call_session
from holdfast.core.private_files import write_private

SESSION_FILE = "session.json"
_log = logging.getLogger(__name__)


class Ending(str, Enum):
    """How a session ended. `killed`: without a word, by a signal or a fault. `restarted`: the same, and the machine was started since."""

    FIRST = "first"
    IN_ORDER = "in-order"
    KILLED = "killed"
    RESTARTED = "machine-restarted"


@dataclass(frozen=True, kw_only=True)
class LogSession:
    """`boot`: which start of the machine it began in. `before`: how the one before ended (`first`: there was none), `before_id` and
    `before_version` which that was."""

    id: str
    began_ns: int
    version: str
    boot: str
    before: Ending
    before_id: str = ""
    before_version: str = ""


@contextmanager
def log_session(folder: Path, version: str, *, clock: Clock, entropy: Entropy) -> Iterator[LogSession]:
    """Begins a session, marks it in this process's log, and writes down that it ended in order unless something is raised. The caller holds
    the lock by which there is one at a time. A disk that does not take the file keeps nothing from running."""
    path, boot = folder / SESSION_FILE, boot_clock(clock).boot_id()
    known = _read(path)
    session = LogSession(
        id=new_id(entropy),
        began_ns=clock.now_ns(),
        version=version,
        boot=boot,
        before=_ending(known, boot),
        before_id=known.get("id", ""),
        before_version=known.get("version", ""),
    )
    _write(path, session, ended=False)
    call_session(session.id)
    _log.info("a session begins", extra={"facts": {"mark": "session", **asdict(session), "before": session.before.value}})
    yield session
    _log.info("the session ends in order")
    _write(path, session, ended=True)


def session_in(folder: Path) -> str:
    """The id of the session that the program of this folder is in, or was in last; empty = none is known."""
    return _read(folder / SESSION_FILE).get("id", "")


def _ending(known: dict[str, str], boot: str) -> Ending:
    if not known:
        return Ending.FIRST
    if known.get("ended"):
        return Ending.IN_ORDER
    return Ending.KILLED if known.get("boot") == boot else Ending.RESTARTED


def _read(path: Path) -> dict[str, str]:
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(path.read_bytes())
        if isinstance(found, dict):
            return {key: value for key, value in found.items() if isinstance(key, str) and isinstance(value, str)}
    return {}


def _write(path: Path, session: LogSession, *, ended: bool) -> None:
    told = {"id": session.id, "version": session.version, "boot": session.boot, "ended": "in order" if ended else ""}
    try:
        write_private(path, json.dumps(told).encode() + b"\n")
    except OSError as error:
        _log.warning("the session is not written down", extra={"facts": {"path": str(path), "error": str(error)}})
