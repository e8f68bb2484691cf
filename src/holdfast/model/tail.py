"""What is changing now in followed datasets: the newest changes as they were delivered, numbered, so that whoever asks again goes on."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import DatasetId
from holdfast.model.following import Following
from holdfast.model.gaps import GapReason

NOT_CONTINUOUS = "`mode: continuous` on a mover, or an operation like cdp or live, makes it so; `holdfast jobs` shows what runs at times"


class TailKind(str, Enum):
    """`put`: is there anew or was changed. `gap-began`, `gap-ended`: protection was not, and is again, what the rules promise. `behind`,
    `caught-up`: a receiver did not get what others got, and has it now. `waiting`: changes are known and cannot be delivered; `following`:
    all goes on as it should."""

    PUT = "put"
    REMOVED = "removed"
    MOVED = "moved"
    GAP_BEGAN = "gap-began"
    GAP_ENDED = "gap-ended"
    BEHIND = "behind"
    CAUGHT_UP = "caught-up"
    WAITING = "waiting"
    FOLLOWING = "following"


class Doer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The process that made the last change told. `program` is empty, and `uid` null, where it had ended before anybody could look."""

    pid: int
    program: str = ""
    uid: int | None = None
    user: str = ""


class TailEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened. `time`: when it was delivered, or became known. `path_raw`, `was_raw` (base64 in JSON) are set when `path`,
    `was` do not spell it. `was`: where what moved was before; `below`: so many entries moved with it. `file_kind` as in listings. `to`: the
    actions that have it. `since`, `until`, `reason` are those of a gap; of one that began what is known yet."""

    number: int
    time: datetime
    dataset: str
    dataset_id: DatasetId
    kind: TailKind
    path: str = ""
    path_raw: bytes = b""
    was: str = ""
    was_raw: bytes = b""
    file_kind: str = ""
    size_bytes: int = 0
    below: int = 0
    to: tuple[str, ...] = ()
    who: Doer | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: GapReason | None = None
    error: ErrorFacts | None = None


class AskTail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """What happened in datasets of a flow that this node follows, or in one of them (`dataset`: label or id): after number `after` of this
    `life` of the node's source worker, the oldest first; None = the newest."""

    flow: str
    dataset: str = ""
    after: int | None = None
    life: str = ""
    limit: int = 200


class Tailed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Go on with `after=last` and this `life`. `skipped`: some that came after `after` are not kept any more. `more`: the limit cut it."""

    events: tuple[TailEvent, ...]
    life: str
    last: int
    skipped: bool = False
    more: bool = False
    following: tuple[Following, ...] = ()
