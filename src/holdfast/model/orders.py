"""Orders: what the Master asks one node to do once, signed, with an end. Questions about what is are in `questions`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from holdfast.core.errors import UsageError
from holdfast.core.ids import ActionId, DatasetId, NodeId, PointId, RepositoryId
from holdfast.model.change import Cursor

ORDER_LIFETIME = timedelta(hours=1)
"""No order is good for longer from when it was signed."""


class RestoreOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lets `reader` read `paths` (empty = all) of one point from `owner`'s repository until `expires_at`, once. `id` is single use,
    `label` says for people whose copy it is. `lasting`: not once but as often as its reader asks, for a mount, whose connection may break;
    what was opened by it ends with it, too.

    With `mirror` out of that mirror of the owner, and `repository` is empty. `stands_at`: the mirror must be equal to that commit; None =
    it is read for what of the point it still has. `names_only`: of a repository its listing, and no content.
    `drill`: it is restored on trial, and the reader, called `reader_name`, says to the owner what came of it.
    """

    id: str
    reader: NodeId
    owner: NodeId
    owner_address: str
    repository: RepositoryId
    dataset: DatasetId
    point: PointId
    paths: tuple[bytes, ...] = ()
    expires_at: datetime
    label: str = ""
    lasting: bool = False
    mirror: ActionId = ActionId("")
    stands_at: Cursor | None = None
    names_only: bool = False
    drill: bool = False
    reader_name: str = ""

    @property
    def place(self) -> str:
        """The repository or the mirror, by its id."""
        return self.mirror or self.repository


class SignedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is the JSON of a `RestoreOrder`; `signature` Ed25519 by the Master's signing key over `signed_bytes_of_order(body)`."""

    body: bytes
    signature: bytes


def signed_bytes_of_order(body: bytes) -> bytes:
    """What the signature is over. The words in front keep an order from ever passing for rules, which the same key signs."""
    return b"holdfast restore order 1\0" + body


Conflict = Literal["skip", "overwrite", "rename"]
OwnerBy = Literal["numeric", "name", "none"]
UNDO_KEPT = timedelta(days=7)
"""For how long what a restore replaced can be brought back, where nobody says otherwise."""


SIDE_FOLDER = b".holdfast-before-"
"""How the names of the folders begin in which a restore keeps what it replaced. No capture looks into one."""


class Owners(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom restored files shall belong to. `by` numeric: the ids as they were; name: who has that name here, the id where nobody has;
    none: whoever restores. `users` and `groups`: who gets what belonged to whom, before `by`; names or ids on both sides.
    """

    by: OwnerBy = "numeric"
    users: tuple[tuple[str, str], ...] = ()
    groups: tuple[tuple[str, str], ...] = ()


def parse_owner_change(text: str) -> tuple[str, str]:
    """`FROM:TO`, each a name or a number. Raises `UsageError`."""
    given, colon, wanted = text.partition(":")
    if not (colon and given and wanted) or ":" in wanted:
        raise UsageError(f"{text[:80]!r} maps no owner", hint="write FROM:TO, each a name or a number, like ann:1005")
    return given, wanted


class RestoreRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a restore writes and how. `target` is the folder below which the full source paths are written (`/` = in place).

    `undo_for_s`: so long what it replaces is kept, 0 = not at all. `exact`: what the dataset has there and the point has not goes, too,
    kept like all that is replaced.
    """

    target: str
    conflict: Conflict = "overwrite"
    dry_run: bool = False
    limit_bytes_s: int | None = None
    undo_for_s: float = UNDO_KEPT.total_seconds()
    owners: Owners = Owners()
    exact: bool = False


def check_request(request: RestoreRequest) -> None:
    """Raises `UsageError` for a place that means nothing on the machine that restores, and for what does not go together."""
    check_target(request.target)
    if not request.exact:
        return
    if request.target.strip("/"):
        raise UsageError("an exact restore is in place", hint="restore to `/`; only there something can be too much")
    if request.conflict != "overwrite":
        raise UsageError("an exact restore leaves nothing as it is", hint="leave --conflict out, or --exact")
    if not request.undo_for_s and not request.dry_run:
        raise UsageError("what an exact restore takes away is kept for a while", hint="leave --undo-for out, or give it some days")


def check_target(target: str) -> None:
    """Raises `UsageError` for a place that means nothing on the machine that restores."""
    if not target.startswith("/") or "\0" in target:
        hint = "begin it with /; it is as on the machine that restores, and `/` restores in place"
        raise UsageError(f"a restore goes to an absolute path, not to {target!r}", hint=hint)
