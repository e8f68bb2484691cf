"""Every error Holdfast raises on purpose.

    HoldfastError
    ├── UsageError            the person or program asked for something that makes no sense
    │   ├── InvalidDocument     the environment document, or a part of it
    │   └── UnknownName         a flow, node, point, ... that is not there
    ├── Refused               understood, and not allowed
    │   ├── NotAuthenticated    no login, wrong password, expired token
    │   ├── NotGranted          no grant in the receiver's rules
    │   ├── OutsideLimits       the machine's own limits.toml says no
    │   ├── LimitsRefused       what the machine's limits are cannot be known: the file is broken, or others may write it
    │   ├── JoinRefused         token used, expired or unknown; wrong CA
    │   ├── NotAuthorised       joined, and nobody has let it in yet; it tries again by itself
    │   ├── ApprovalWanted      it waits for a second person; nothing is done yet
    │   ├── Throttled           too many failed logins; later it may be tried again
    │   ├── StaleRules          a generation not above the one in force, or a wrong signature
    │   └── Conflict            somebody else changed it first; a path that is not ours to take
    │       └── NotAdopted        something stands there that nobody said to take over
    ├── NotReachable          the other side does not answer
    ├── ReceiverBusy          it still takes what it was sent before; it goes on by itself
    ├── WindowClosed          the mover's window is closed; it goes on by itself when it opens
    ├── RepositoryBusy        as many jobs deliver to it as may at once; it goes on by itself when one has ended
    ├── SourceError           the data to be protected
    │   ├── SourceVanished      root missing, replaced, or emptied beyond `max_removed`
    │   ├── WatchUnavailable    changes cannot be followed there, or not any more; a scan finds them
    │   │   └── WatchLimited      the kernel lets no more folders or queues be watched
    │   └── HookFailed          a script of the machine's administrator failed or took too long
    ├── StoreError            the repository or mirror
    │   ├── RepositoryMissing, RepositoryLocked (RepositoryPaused, RepositoryMoved), WrongPassword, RepositoryOutdated,
    │   │   RepositoryDamaged
    │   ├── ExportDamaged       an export of the Master's records is not what was written
    │   ├── StoreDenied         an object store refuses our keys, or there are none
    │   ├── ReadOnly            a file system is mounted so, or has become so by a fault of its disk
    │   └── NoSpace             a disk is full, or would be; or a quota is used up
    ├── MountUnavailable      this machine has no FUSE, or its kernel refuses the mount
    ├── ProtocolError         bytes from the wire that break the contract
    └── Cancelled             somebody asked us to stop

`code` is stable and what scripts compare. One table maps codes to exit codes (`cli.exit_codes`), one to HTTP (`api.errors`).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class ErrorFacts:
    """An error as a plain value, for wires, journals and JSON."""

    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    context: dict[str, str] = field(default_factory=dict)


class HoldfastError(Exception):
    """Base of the tree. `hint` says what to do (else the `usual_hint` of the kind), `context` names the things involved."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    usual_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "", **context: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.usual_hint
        self.context = context

    @classmethod
    def says(cls, error: ErrorFacts | None) -> bool:
        """Whether it is of this kind itself, and of none below it."""
        return error is not None and error.code == cls.code

    def facts(self) -> ErrorFacts:
        return ErrorFacts(self.code, self.message, self.hint, self.retryable, dict(self.context))


class UsageError(HoldfastError):
    code = "usage"


class InvalidDocument(UsageError):
    code = "invalid-document"


class UnknownName(UsageError):
    code = "unknown-name"


class Refused(HoldfastError):
    code = "refused"


class NotAuthenticated(Refused):
    code = "not-authenticated"


class NotGranted(Refused):
    code = "not-granted"


class OutsideLimits(Refused):
    code = "outside-limits"


class LimitsRefused(Refused):
    code = "limits-refused"


class JoinRefused(Refused):
    code = "join-refused"


class NotAuthorised(Refused):
    code = "not-authorised"
    retryable = True


class ApprovalWanted(Refused):
    code = "approval-wanted"


class Throttled(Refused):
    code = "throttled"
    retryable = True


class StaleRules(Refused):
    code = "stale-rules"


class Conflict(Refused):
    code = "conflict"


class NotAdopted(Conflict):
    """A mirror is to be where something stands that its dataset did not put there."""

    code = "not-adopted"


class NotReachable(HoldfastError):
    code = "not-reachable"
    retryable = True
    usual_hint = "it is tried again; see whether the other machine is up"


class ReceiverBusy(HoldfastError):
    """It is still being sent what was captured before, or has not answered for it."""

    code = "receiver-busy"
    retryable = True
    usual_hint = "it goes on by itself, and gets what changed meanwhile then; look at the network and at that machine if it lasts"


class WindowClosed(HoldfastError):
    code = "window-closed"
    retryable = True
    usual_hint = "it goes on by itself then; `holdfast trigger` does not wait for it"


class RepositoryBusy(HoldfastError):
    code = "repository-busy"
    retryable = True
    usual_hint = "it goes on by itself when one of them has ended"


def waits_its_turn(error: ErrorFacts | None) -> bool:
    """Whether nothing is wrong: it goes on by itself once a window opens, another job ends, or what was sent before is taken."""
    return WindowClosed.says(error) or RepositoryBusy.says(error) or ReceiverBusy.says(error)


class SourceError(HoldfastError):
    code = "source"


class SourceVanished(SourceError):
    code = "source-vanished"


class HookFailed(SourceError):
    code = "hook-failed"


class WatchUnavailable(SourceError):
    code = "watch-unavailable"


class WatchLimited(WatchUnavailable):
    code = "watch-limited"


class StoreError(HoldfastError):
    code = "store"


class RepositoryMissing(StoreError):
    code = "repository-missing"


class RepositoryLocked(StoreError):
    code = "repository-locked"
    retryable = True


class RepositoryPaused(RepositoryLocked):
    code = "repository-paused"


class RepositoryMoved(RepositoryLocked):
    """Another node owns it."""

    code = "repository-moved"


class WrongPassword(StoreError):
    code = "wrong-password"


class RepositoryOutdated(StoreError):
    code = "repository-outdated"


class RepositoryDamaged(StoreError):
    code = "repository-damaged"
    usual_hint = "`holdfast repository check NAME` on its machine tells what is damaged"


class ExportDamaged(StoreError):
    code = "export-damaged"


class StoreDenied(StoreError):
    code = "store-denied"
    usual_hint = "look at HOME/keys/NAME.s3 on the machine that owns the repository"


class ReadOnly(StoreError):
    code = "read-only"
    usual_hint = "mount it so that it can be written, or write to another place"


class NoSpace(StoreError):
    code = "no-space"
    retryable = True


def is_no_space(error: OSError) -> bool:
    """Whether a disk is full, or a quota used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class MountUnavailable(HoldfastError):
    code = "mount-unavailable"


class ProtocolError(HoldfastError):
    code = "protocol"
    usual_hint = "bring both sides to one version of Holdfast and restart them"


class Cancelled(HoldfastError):
    code = "cancelled"
    usual_hint = "nothing acknowledged is lost; start it again when it suits"


def _by_code(root: type[HoldfastError]) -> dict[str, type[HoldfastError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_by_code(child))
    return found


def error_from(facts: ErrorFacts) -> HoldfastError:
    """The error a peer raised, raised again here. An unknown code becomes the base class, its text kept."""
    kind = _by_code(HoldfastError).get(facts.code, HoldfastError)
    return kind(facts.message, hint=facts.hint, **facts.context)


def facts_of(error: BaseException) -> ErrorFacts:
    """Facts of any exception: ours as they are, that a disk is full as `no-space`, any other as `internal` with its type named."""
    if isinstance(error, HoldfastError):
        return error.facts()
    if isinstance(error, OSError) and is_no_space(error):
        return NoSpace(f"a disk is full: {error}", hint="make room there, then try again").facts()
    return ErrorFacts("internal", f"{type(error).__name__}: {error}", "This is a fault in Holdfast; the log has the details.")
