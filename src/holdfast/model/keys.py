"""The keys of a repository as values: slots, the state of the recovery kit, and the questions about them.

Only the owner answers these, and only on its local socket: some carry passwords, so none of them shows its fields when it is printed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime

import msgspec

from holdfast.core.errors import UsageError
from holdfast.model.jobs import Finding, Severity

KIT_USER = "recovery-kit"
"""The username in a kit's key file: the format has no other field that could say what it is."""
MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 1024
# What Go's `strings.TrimSpace` takes away, and so restic from a password file.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


class KitState(str, enum.Enum):
    """`made`: there is a kit, and nobody has said that it is kept. `acknowledged`: somebody has, and it still opens the repository."""

    NEVER = "never"
    MADE = "made"
    ACKNOWLEDGED = "acknowledged"


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of plain values."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base of questions and answers; the tag on the wire is the class name. Printed without its fields: one may be a password."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class KeySlot(_Value, frozen=True, kw_only=True):
    """One slot. `id` is its file's name; who made it, where and when is what the file says. `in_use`: the owner opens the repository
    with it. `error`: the file cannot be read."""

    id: str
    username: str = ""
    hostname: str = ""
    created_at: datetime | None = None
    in_use: bool = False
    is_kit: bool = False
    is_acknowledged: bool = False
    error: str = ""


class KeyFacts(_Value, frozen=True, kw_only=True):
    """What `status` tells of a repository's keys."""

    slots: int
    kit: KitState


class AskKeys(_Message, frozen=True, kw_only=True):
    """The slots of a repository (name or id, here and below)."""

    repository: str


class AskKeyAdd(_Message, frozen=True, kw_only=True):
    """A new slot for this password; `username` is who it is for (empty = the node's own account)."""

    repository: str
    password: str
    username: str = ""


class AskKeyRemove(_Message, frozen=True, kw_only=True):
    """Take away the slot whose id begins with `slot`; with `dry_run` only say which that is."""

    repository: str
    slot: str
    dry_run: bool = False


class AskKeyRotate(_Message, frozen=True, kw_only=True):
    """A new random password for the owner's own slot."""

    repository: str


class AskKit(_Message, frozen=True, kw_only=True):
    """Make a recovery kit; its code is in the answer and nowhere else."""

    repository: str


class AskKitKept(_Message, frozen=True, kw_only=True):
    """Somebody has the kit and keeps it: `typed` is the last group of its code, or all of it."""

    repository: str
    typed: str


class AskKeyRestore(_Message, frozen=True, kw_only=True):
    """The owner's password is lost: make a new one with any other password, or the code of a kit."""

    repository: str
    password: str


KeyQuestion = AskKeys | AskKeyAdd | AskKeyRemove | AskKeyRotate | AskKit | AskKitKept | AskKeyRestore


class Keys(_Message, frozen=True, kw_only=True):
    """`source` says where the owner's password comes from: `file` (HOME/keys) or `credential`; empty = from nowhere, it is lost."""

    repository: str
    location: str
    slots: tuple[KeySlot, ...]
    kit: KitState
    source: str = ""


class KeyDone(_Message, frozen=True, kw_only=True):
    """`slot`: the one that was made, removed or acknowledged. `also`: what else happened, or would, in sentences."""

    slot: KeySlot
    also: tuple[str, ...] = ()


class Kit(_Message, frozen=True, kw_only=True):
    """Everything that a kit says. `code` is the password, for stock restic too; `earlier` are kits that open the repository as well."""

    repository: str
    repository_id: str
    location: str
    node: str
    slot: KeySlot
    code: str
    earlier: tuple[KeySlot, ...] = ()


KeyAnswer = Keys | KeyDone | Kit


def check_password(password: str) -> str:
    """The password, fit for a slot. Raises `UsageError` for what a password file or a terminal could not give back, and what is short."""
    if password != password.strip(SPACE):
        raise UsageError("the password begins or ends with white space, which password files lose", hint="choose another")
    if any(not character.isprintable() for character in password):
        raise UsageError("the password holds characters that cannot be typed", hint="use letters, digits, signs and spaces")
    if not MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
        raise UsageError(
            f"the password has {len(password)} characters; it takes {MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS}",
            hint="whoever has the store can guess as fast as he likes: six random words are good",
        )
    return password


def is_about_kit(finding: Finding) -> bool:
    """Whether it is one of `kit_findings`."""
    return finding.code == "kit-missing"


def kit_findings(repositories: Iterable[tuple[str, KitState | None]]) -> tuple[Finding, ...]:
    """What stands in `status` until the kit of each repository (name, state; None = not known) is kept."""
    words = {
        KitState.NEVER: "there is no recovery kit of {0}: if this machine is lost, nobody can read it;"
        " `holdfast repository key kit {0}` makes one",
        KitState.MADE: "nobody has said that the recovery kit of {0} is kept; `holdfast repository key kit {0} --acknowledge` does",
    }
    return tuple(
        Finding(
            code="kit-missing",
            severity=Severity.WARNING,
            message=words[state].format(name),
            # So that of several each is told: what is told to people is known by its code and what it is about.
            path=name,
            hint="run it on the machine itself, and keep the kit away from there",
        )
        for name, state in repositories
        if state in words
    )
