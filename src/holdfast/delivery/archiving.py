"""Files of a dataset archived by the owner of a repository: both ends of such a session.

The owner archives what it has of the dataset already and sends nothing back but its verdicts; so a source can neither read another's files
by it nor bring new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.core.errors import NotGranted, ProtocolError
from holdfast.core.ids import NodeId
from holdfast.delivery.asking import next_answer, open_session, out_of_place
from holdfast.model.archiving import ToArchive, Verdict
from holdfast.wire.channel import Channel
from holdfast.wire.codec import MAX_ARCHIVED_FILES
from holdfast.wire.data_messages import ArchiveVerdicts, OpenArchive, OpenedRead, PutArchive, Stopped

PutFiles = Callable[[int, Sequence[ToArchive]], Sequence[Verdict]]
"""Archives files at a time (ns): a verdict for each, in order."""


def refuse_archive(_peer: NodeId, _opening: OpenArchive) -> PutFiles:
    """Where nobody may archive."""
    raise NotGranted("this node archives nothing")


class RemoteArchive:
    """For one thread. The constructor raises what the owner answers: `NotGranted`, `NotReachable`, ..."""

    def __init__(self, channel: Channel, opening: OpenArchive) -> None:
        self._channel = channel
        self._number = 0
        open_session(channel, opening)

    def put(self, archived_ns: int, files: Sequence[ToArchive]) -> tuple[Verdict, ...]:
        """A verdict for each file. Waits for as long as it takes the owner to read every byte of them. Raises what the owner raises, and
        `ProtocolError` for an answer to something else."""
        verdicts: list[Verdict] = []
        for start in range(0, len(files), MAX_ARCHIVED_FILES):
            some = tuple(files[start : start + MAX_ARCHIVED_FILES])
            self._number += 1
            self._channel.send(PutArchive(number=self._number, archived_ns=archived_ns, files=some))
            answer = next_answer(self._channel)
            if not isinstance(answer, ArchiveVerdicts) or answer.number != self._number:
                raise out_of_place(self._channel, answer)
            if len(answer.verdicts) != len(some):
                raise ProtocolError(f"{self._channel.peer} gives {len(answer.verdicts)} verdicts on {len(some)} files")
            verdicts += answer.verdicts
        return tuple(verdicts)


def take_files(channel: Channel, put: PutFiles, idle_s: float) -> None:
    """The owner's side, after the opening, until the source ends the session. Raises `ProtocolError`, and what `put` raises."""
    channel.send(OpenedRead())
    while (message := channel.receive(idle_s)) is not None and not isinstance(message, Stopped):
        if not isinstance(message, PutArchive):
            raise ProtocolError(f"{type(message).__name__} has no place where files are archived")
        channel.send(ArchiveVerdicts(number=message.number, verdicts=tuple(put(message.archived_ns, message.files))))
