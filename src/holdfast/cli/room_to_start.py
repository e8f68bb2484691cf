"""A Master or node that starts on a full disk: it takes the room that was kept for that, and where there is none it waits.

To end would help nobody: who starts services gives up after some starts, and the machine would stay unprotected after there is room again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.cli.output import print_error
from holdfast.cli.services import tell_systemd
from holdfast.core.errors import ErrorFacts, HoldfastError, NoSpace, facts_of, is_no_space
from holdfast.core.reserve import RESERVE_BYTES, Reserve
from holdfast.core.units import format_size
from holdfast.host.disk import free_bytes

_AGAIN_S = 5.0


def run_with_room(reserve: Reserve, run: Callable[[], None], pause: Callable[[float], None]) -> None:
    """Calls `run` until it ends otherwise than for want of room; says once what is full, on standard error and to systemd."""
    reserve.give_up_if_short()
    untold = True
    while True:
        try:
            return run()
        except (HoldfastError, OSError) as error:
            facts = facts_of(error)
            if facts.code != NoSpace.code:
                raise
        if reserve.give_up():
            continue
        if untold:
            _say(facts, reserve)
            untold = False
        tell_systemd(f"READY=1\nWATCHDOG=1\nSTATUS=waits for room: {facts.message}")
        pause(_AGAIN_S)


def _say(facts: ErrorFacts, reserve: Reserve) -> None:
    told = f"{facts.message} (home: {reserve.folder}); it starts by itself as soon as there is room"
    # Standard error may go to a file on that disk.
    with suppress(OSError):
        print_error(ErrorFacts(facts.code, told, facts.hint))


def no_room(home: Path) -> NoSpace | None:
    """What keeps a start in this home waiting: its disk is full. None = there is room, or nobody can say."""
    with suppress(OSError):
        free = free_bytes(home)
        if free < RESERVE_BYTES:
            return NoSpace(
                f"the disk of {home} is full: {format_size(free)} free, and a start needs {format_size(RESERVE_BYTES)}",
                hint=f"make room on it (`df {home}`), then start again",
                path=str(home),
                free_bytes=str(free),
            )
    return None


@contextmanager
def naming_the_disk(home: Path) -> Iterator[None]:
    """What has no room for itself says so without a name where it is a write that fails: here it is the disk of this home."""
    try:
        yield
    except (OSError, NoSpace) as error:
        known = no_room(home) if isinstance(error, NoSpace) or is_no_space(error) else None
        if known is None:
            raise
        raise known from error
