"""What came of a drill, from the machine where it was made to the owner of the point: both ends."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.core.errors import ProtocolError
from holdfast.delivery.asking import next_answer, out_of_place
from holdfast.delivery.narrowing import OnlyPaths
from holdfast.model.reading import PointReader
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import Carried, DrillOutcome, Entries, OutcomeTaken

_ANSWER_S = 60.0


class OnTrial(OnlyPaths):
    """A reader that an order for a drill opened: `take` is told once what came of it."""

    def __init__(self, inner: PointReader, take: Callable[[DrillOutcome], None]) -> None:
        super().__init__(inner, ())
        self._take: Callable[[DrillOutcome], None] | None = take

    def take(self, outcome: DrillOutcome) -> None:
        """Raises `ProtocolError` the second time."""
        take, self._take = self._take, None
        if take is None:
            raise ProtocolError("the outcome of a drill is told once")
        take(outcome)


def take_outcome(channel: Channel, reader: PointReader | None, outcome: DrillOutcome) -> None:
    """The owner's side. Raises `ProtocolError` where the session was not opened for a drill."""
    if not isinstance(reader, OnTrial):
        raise ProtocolError("the outcome of a drill is told in a session that was not opened for one")
    reader.take(outcome)
    channel.send(OutcomeTaken())


def tell_outcome(channel: Channel, outcome: DrillOutcome) -> None:
    """The last word of a session that was opened for a drill. Answers to questions that were given up come before the owner's.

    Raises what ends the session.
    """
    channel.send(outcome)
    while not isinstance(answer := next_answer(channel, _ANSWER_S), OutcomeTaken):
        if not isinstance(answer, Entries | Carried):
            raise out_of_place(channel, answer)
