"""Messages between nodes. Protocol version 2; an unknown tag or a wrong field is a `ProtocolError` and ends the session.

Deliver:   S: Open -> R: Opened, then any number of commits:
           S: Started -> { S: Segmented -> R: Needed -> S: Carried... } (a window of segments in flight) -> S: Closing -> R: Closed
           Before the parts of a large file, with no segment in flight: S: Recall -> R: Recalled
           Either side may end with Stopped at any time. R: Spending at any time, to a sender that asked for it.
Read:      reader: OpenRead -> owner: OpenedRead, then AskEntries or AskFolders -> Entries, AskMore -> Entries (until last=True),
           AskChunks -> Carried... (last=True).
           Or for a repository that has lost something: OpenCopy -> OpenedRead, then AskBlobs -> BlobPiece... BlobsEnd.
           Or a source that archives: OpenArchive -> OpenedRead, then PutArchive -> ArchiveVerdicts.
Line:      the receiver of a delivery dials and waits; the node it dialled begins, with the Open or OpenRead of one of the two above.
"""

from __future__ import annotations

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId, DatasetId, JobId, NodeId, PointId, RepositoryId
from holdfast.model.archiving import ToArchive, Verdict
from holdfast.model.bottleneck import ReceiverTimes
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Payload, Segment
from holdfast.model.entry import Entry
from holdfast.model.orders import SignedOrder
from holdfast.model.reading import LostFolder

PROTOCOL = 2


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name."""


class Open(_Message, frozen=True, kw_only=True):
    """First message of a delivery. `actions` are those the sender's rules name. `adopt`: somebody asked that mirrors take over, this once,
    what stands at their place and is not empty. `reports`: the sender understands `Spending`."""

    dataset: DatasetId
    actions: tuple[ActionId, ...]
    generation: int
    adopt: bool = False
    reports: bool = False
    protocol: int = PROTOCOL


class ActionState(_Message, frozen=True, kw_only=True):
    """Where one action stands. `error` set = it cannot take commits now; the others still can. `sealed`: the newest commit that outlives
    the loss of the receiver's disk, where that is an earlier one than `cursor`."""

    action: ActionId
    cursor: Cursor | None = None
    sealed: Cursor | None = None
    error: ErrorFacts | None = None


class Opened(_Message, frozen=True, kw_only=True):
    actions: tuple[ActionState, ...]


class Started(_Message, frozen=True, kw_only=True):
    """A commit begins for these actions."""

    begin: Begin
    actions: tuple[ActionId, ...]


class Recall(_Message, frozen=True, kw_only=True):
    """Does the receiver have this file in the version whose list of chunks has this digest (SHA-256 of their ids in a row)? If so, the
    parts of it that come next may leave out what is the same."""

    path: bytes
    digest: bytes


class Recalled(_Message, frozen=True, kw_only=True):
    is_known: bool


class KnownRun(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`count` chunks of the version asked for with `Recall`, from its `first`-th on, stand in a part from its `at`-th on."""

    at: int
    first: int
    count: int


class Segmented(_Message, frozen=True, kw_only=True):
    """A segment without what both sides know, see `delivery.abridging`: what parts name is offered, too; the put of a file that is not
    empty and names no chunks is made of its parts. `known`: of each part the runs that it leaves out; empty = none does."""

    segment: Segment
    known: tuple[tuple[KnownRun, ...], ...] = ()


class Needed(_Message, frozen=True, kw_only=True):
    """Of the segment's offered chunks, those some action lacks. `spent`: how the receiver spent its time until now."""

    number: int
    ids: tuple[bytes, ...]
    spent: ReceiverTimes | None = None


class Carried(_Message, frozen=True, kw_only=True):
    """Chunks of a segment (or of an AskChunks). `withdrawn` = the sender cannot give these any more (the file changed).

    Every needed id comes exactly once, as payload or withdrawn; `last` closes the answer. Sent even when nothing is needed.
    In a read `withdrawn` are chunks that cannot be had, and `reasons` says why of each (none = not said).
    """

    number: int
    payloads: tuple[Payload, ...] = ()
    withdrawn: tuple[bytes, ...] = ()
    reasons: tuple[str, ...] = ()
    last: bool = False


class Spending(_Message, frozen=True, kw_only=True):
    """How the receiver spent its time until now; of use while much is on its way and nothing is to be answered."""

    spent: ReceiverTimes


class Closing(_Message, frozen=True, kw_only=True):
    commit: Commit


class Closed(_Message, frozen=True, kw_only=True):
    acknowledgements: tuple[Acknowledgement, ...]
    spent: ReceiverTimes | None = None


class Stopped(_Message, frozen=True, kw_only=True):
    """The end of a session that did not go well; says why."""

    error: ErrorFacts


class OpenRead(_Message, frozen=True, kw_only=True):
    """Either with an order (restore), or without one: a source reading names of the newest state of its own dataset, or by a read grant
    what was archived of it, or a process of the owner's own machine and user (a mount), which may read every point."""

    repository: RepositoryId
    dataset: DatasetId
    order: SignedOrder | None = None
    point: PointId = PointId("")
    protocol: int = PROTOCOL


class OpenedRead(_Message, frozen=True, kw_only=True):
    """`cursor` is the commit the entries belong to; None = the repository holds nothing of this dataset."""

    cursor: Cursor | None = None


class AskEntries(_Message, frozen=True, kw_only=True):
    """Entries at or below these paths (empty = all), in walk order."""

    paths: tuple[bytes, ...] = ()


class AskFolders(_Message, frozen=True, kw_only=True):
    """Of each of these folders (`/` = the root of all) what is directly in it, in order; of another kind of file, itself."""

    paths: tuple[bytes, ...]


class AskMore(_Message, frozen=True, kw_only=True):
    """The next `Entries` of the last AskEntries or AskFolders: one message at a time, so that chunks can be asked for in between."""


class Entries(_Message, frozen=True, kw_only=True):
    """`places`: for each chunk of the entries, in order, where it lies, as 8 bytes, little-endian; none = not known. Only for sorting by.

    A chunk of size 0 is one that cannot be had; `lost` are folders whose listing cannot be had, so that nothing below them is given.
    `total_bytes`: what all files of the point hold together, 0 = not known.
    """

    entries: tuple[Entry, ...]
    places: bytes = b""
    lost: tuple[LostFolder, ...] = ()
    total_bytes: int = 0
    last: bool = False


class AskChunks(_Message, frozen=True, kw_only=True):
    """At most 4,096 ids of chunks that the entries named; anything else is refused."""

    number: int
    ids: tuple[bytes, ...]


class OpenCopy(_Message, frozen=True, kw_only=True):
    """The owner of another copy of a dataset asks for single blobs by their ids, out of a repository or a mirror: one of the two is set."""

    dataset: DatasetId
    repository: RepositoryId = RepositoryId("")
    mirror: ActionId = ActionId("")
    protocol: int = PROTOCOL


class AskBlobs(_Message, frozen=True, kw_only=True):
    """At most 4,096 ids: chunks, or with `trees` the listings of folders. What is not there, or is another dataset's, is left out."""

    number: int
    ids: tuple[bytes, ...]
    trees: bool = False


class BlobPiece(_Message, frozen=True, kw_only=True):
    """Plain bytes of one blob of the answer, in order; `last` ends the blob."""

    number: int
    id: bytes
    data: bytes
    last: bool = False


class BlobsEnd(_Message, frozen=True, kw_only=True):
    number: int


class OpenArchive(_Message, frozen=True, kw_only=True):
    """A source whose dataset is stored here by this action, which archives, asks for files of it to be archived."""

    dataset: DatasetId
    action: ActionId
    protocol: int = PROTOCOL


class PutArchive(_Message, frozen=True, kw_only=True):
    """At most 2,000 files that the source delivered before, in the states they have to have."""

    number: int
    archived_ns: int
    files: tuple[ToArchive, ...]


class ArchiveVerdicts(_Message, frozen=True, kw_only=True):
    """One for each file, in order. Those that are `archived` are sealed, and every byte of them was read back."""

    number: int
    verdicts: tuple[Verdict, ...]


class DrillOutcome(_Message, frozen=True, kw_only=True):
    """In a session that an order for a drill opened, at its end: `files` of `size_bytes` are what they should be. `problem`: why nothing is
    proven, empty where something is. `note`: why fewer were tried than asked for. `job` is the reader's. Answered by `OutcomeTaken`."""

    job: JobId
    files: int
    size_bytes: int
    problem: str = ""
    note: str = ""


class OutcomeTaken(_Message, frozen=True, kw_only=True):
    """What came of the drill is recorded with the point."""


class OpenLine(_Message, frozen=True, kw_only=True):
    """Between processes of one machine: give me a line that `peer` has dialled (`wire.lines`). Answered by `LineTaken` or `Stopped`."""

    peer: NodeId


class LineTaken(_Message, frozen=True, kw_only=True):
    """From here on the session is the one with the peer."""


DataMessage = (
    Open
    | Opened
    | Started
    | Recall
    | Recalled
    | Segmented
    | Needed
    | Carried
    | Spending
    | Closing
    | Closed
    | Stopped
    | OpenRead
    | OpenedRead
    | AskEntries
    | AskFolders
    | AskMore
    | Entries
    | AskChunks
    | OpenCopy
    | AskBlobs
    | BlobPiece
    | BlobsEnd
    | OpenArchive
    | PutArchive
    | ArchiveVerdicts
    | DrillOutcome
    | OutcomeTaken
    | OpenLine
    | LineTaken
)
