"""Where a delivery is held up: from how its threads spent their time to one place and a sentence. Pure.

A delivery is a line of stages, and a line is as fast as its slowest stage: that one works nearly all the time while the others wait for it.
So what counts is whom each thread waited for (docs/decisions/0052-where-jobs-wait.md).
"""

from __future__ import annotations

from enum import Enum

import msgspec

SHORTEST_S = 1.0
"""Of less time nothing is said."""
ENOUGH = 0.4
"""So much of the time must have gone to one place."""
BUSY_CORES = 0.8
"""A process that wants so much of a processor is held up by it: the interpreter gives it little more than one."""


class Place(str, Enum):
    NONE = "none"
    SOURCE = "source"
    CPU = "cpu"
    NETWORK = "network"
    STORE = "store"
    LIMIT = "limit"
    MOVER = "mover"


class Bottleneck(msgspec.Struct, frozen=True, kw_only=True):
    """What a mover's data waits for most. `limit` is the mover's own, `mover` another one of the same run that is slower. `share`: of the
    time, 0 to 1. `message` is for people."""

    place: Place
    share: float = 0.0
    message: str = ""


class ReceiverTimes(msgspec.Struct, frozen=True, array_like=True):
    """How a receiver spent its time since the session began, in milliseconds. `idle_ms`: nothing had come. `verifying_ms`: waiting for its
    own verification. `storing_ms`: in what keeps the data. `busy_ms`: processor time that its process had or waited for, all threads."""

    wall_ms: int = 0
    idle_ms: int = 0
    verifying_ms: int = 0
    storing_ms: int = 0
    busy_ms: int = 0


class LaneTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How the sender of one delivery spent its time, in seconds. `starved_s`: the source had nothing for it. `others_s`: of that, so long
    the source itself was kept waiting by other deliveries. `limited_s`: it waited by its own limit. `working_s`: it prepared and
    compressed. `sending_s`: the line took nothing. `awaiting_s`: the receiver had not answered. `busy_s`: processor time that the process
    had or waited for, all threads."""

    starved_s: float = 0.0
    others_s: float = 0.0
    limited_s: float = 0.0
    working_s: float = 0.0
    sending_s: float = 0.0
    awaiting_s: float = 0.0
    busy_s: float = 0.0
    receiver: ReceiverTimes = ReceiverTimes()

    @property
    def wall_s(self) -> float:
        return self.starved_s + self.limited_s + self.working_s + self.sending_s + self.awaiting_s

    def since(self, before: LaneTimes) -> LaneTimes:
        """What came after `before`. A receiver that told nothing meanwhile is taken as it was until then."""
        mine = {name: getattr(self, name) - getattr(before, name) for name in self.__struct_fields__ if name != "receiver"}
        told = ReceiverTimes(*(getattr(self.receiver, name) - getattr(before.receiver, name) for name in ReceiverTimes.__struct_fields__))
        return LaneTimes(**mine, receiver=told if told.wall_ms > 0 else self.receiver)


NOTHING_SPENT = LaneTimes()


class Ends(msgspec.Struct, frozen=True):
    """`source`: what is read, `receiver`: who takes it; both as people call them."""

    source: str
    receiver: str


def judge(times: LaneTimes, ends: Ends) -> Bottleneck:
    """The one place where most of the time went; `none` when it is too short to say, or spread."""
    wall_s = times.wall_s
    if wall_s < SHORTEST_S:
        return Bottleneck(place=Place.NONE, message="it took too short a time to say")
    waits = {
        Place.SOURCE: times.starved_s,
        Place.LIMIT: times.limited_s,
        Place.CPU: times.working_s,
        Place.NETWORK: times.sending_s + times.awaiting_s,
    }
    most = max(waits, key=lambda place: waits[place])
    share = min(1.0, waits[most] / wall_s)
    if share < ENOUGH:
        return Bottleneck(place=Place.NONE, share=share, message="nothing holds it up more than the rest")
    place, what = _named(most, times, ends)
    return Bottleneck(place=place, share=share, message=f"{what} ({share:.0%} of the time)")


def _named(most: Place, times: LaneTimes, ends: Ends) -> tuple[Place, str]:
    wants_cpu = times.busy_s / times.wall_s >= BUSY_CORES
    if most is Place.LIMIT:
        return Place.LIMIT, f"the mover's own limit or window sets the pace to {ends.receiver}"
    if most is Place.CPU:
        # What is prepared is mostly compressed; where that needs no processor it is read once more.
        return (Place.CPU, f"compressing {ends.source} keeps the processor busy") if wants_cpu else (Place.SOURCE, _reading(ends))
    if most is Place.SOURCE:
        if times.others_s >= 0.5 * times.starved_s:
            return Place.MOVER, f"a slower receiver of {ends.source} sets the pace"
        return (Place.CPU, f"the processor is the limit where {ends.source} is read") if wants_cpu else (Place.SOURCE, _reading(ends))
    return _beyond(times, ends)


def _reading(ends: Ends) -> str:
    return f"reading {ends.source} is what takes longest"


def _beyond(times: LaneTimes, ends: Ends) -> tuple[Place, str]:
    """The sender waits for what is behind it: the line, or the receiver."""
    told = times.receiver
    working_ms = told.verifying_ms + told.storing_ms
    if told.wall_ms <= 0:
        if times.sending_s > times.awaiting_s:
            return Place.NETWORK, f"the line to {ends.receiver} takes no more"
        return Place.STORE, f"{ends.receiver} has not answered yet"
    if told.idle_ms >= working_ms:
        return Place.NETWORK, f"the network to {ends.receiver} is what takes longest: both ends wait for it"
    if told.verifying_ms > told.storing_ms or told.busy_ms / told.wall_ms >= BUSY_CORES:
        return Place.CPU, f"the processor of {ends.receiver} is busy verifying and storing"
    return Place.STORE, f"storing on {ends.receiver} is what takes longest"
