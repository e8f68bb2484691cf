"""Which paths belong to a dataset, compiled once per run.

Patterns are gitignore's, by `pathspec`: relative to the root they are below; without a slash they match at any depth. A pattern that
begins with the root's own absolute path is understood too. Excluded folders are not entered, so nothing below them can come back.
`include` and the limits on size, age, owner, group and type choose files; folders stay when they lead to one that was chosen.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from pathspec import GitIgnoreSpec

from holdfast.core.units import format_duration, format_size
from holdfast.model.document import Classification
from holdfast.model.jobs import Finding, Severity

MEMBERS = "@"
"""How an owner begins that is a group: whoever is in it."""
CACHE_TAG = b"CACHEDIR.TAG"
# https://bford.info/cachedir/
CACHE_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"

_Matches = Callable[[str], bool]


@dataclass(frozen=True)
class RootRules:
    """The patterns of one dataset below one root. Paths are relative to the root; those of folders end in a slash."""

    excluded: _Matches | None
    included: _Matches | None


class Classifier:
    """One dataset's classification, ready for use at time `now_ns`.

    `plain` = every file below the roots belongs, nothing has to be asked. `selective` = folders belong only by what they lead to.
    """

    def __init__(self, classification: Classification, now_ns: int) -> None:
        self._classification = classification
        self.one_file_system = classification.one_file_system
        self.exclude_caches = classification.exclude_caches
        self.databases = classification.application == "sqlite"
        self.findings: tuple[Finding, ...] = ()
        self._larger_than = classification.larger_than_bytes
        self._smaller_than = classification.smaller_than_bytes
        self._older = None if classification.older_than_s is None else now_ns - int(classification.older_than_s * 1e9)
        self._newer = None if classification.newer_than_s is None else now_ns - int(classification.newer_than_s * 1e9)
        self._types = tuple(f".{ending.lower().lstrip('.')}".encode() for ending in classification.types)
        users = [owner for owner in classification.owners if not owner.startswith(MEMBERS)]
        teams = [owner.removeprefix(MEMBERS) for owner in classification.owners if owner.startswith(MEMBERS)]
        self._uids = self._resolve(users, lambda name: pwd.getpwnam(name).pw_uid, "owner")
        self._teams = self._resolve(teams, lambda name: grp.getgrnam(name).gr_gid, "group")
        self._known: dict[int, bool] = {}
        self._gids = self._resolve(classification.groups, lambda name: grp.getgrnam(name).gr_gid, "group")
        self._patterns = (classification.include, classification.exclude)
        self.limited = any(
            limit is not None
            for limit in (self._larger_than, self._smaller_than, self._older, self._newer, self._uids, self._teams, self._gids)
        ) or bool(self._types)
        self.selective = self.limited or bool(classification.include)
        self.plain = not self.limited and not classification.include and not classification.exclude

    def below(self, root: bytes) -> RootRules:
        include, exclude = self._patterns
        return RootRules(excluded=_compile(exclude, root), included=_compile(include, root))

    def wants(self, name: bytes, status: os.stat_result) -> bool:
        """Whether the limits choose this path, which is no folder. Other kinds than files have the size 0."""
        if not self.limited:
            return True
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        return not (
            (self._larger_than is not None and size <= self._larger_than)
            or (self._smaller_than is not None and size >= self._smaller_than)
            or (self._older is not None and status.st_mtime_ns >= self._older)
            or (self._newer is not None and status.st_mtime_ns <= self._newer)
            or not self._owned(status.st_uid)
            or (self._gids is not None and status.st_gid not in self._gids)
            or (self._types and not name.lower().endswith(self._types))
        )

    def limit_against(self, name: bytes, status: os.stat_result) -> tuple[str, str] | None:
        """The key of the limit that `wants` fails at, and its value for people; None where `wants` says yes. For explanations only."""
        if self.wants(name, status):
            return None
        size, asked = status.st_size if stat.S_ISREG(status.st_mode) else 0, self._classification
        if self._larger_than is not None and size <= self._larger_than:
            return "larger_than", format_size(self._larger_than)
        if self._smaller_than is not None and size >= self._smaller_than:
            return "smaller_than", format_size(self._smaller_than)
        if self._older is not None and status.st_mtime_ns >= self._older:
            return "older_than", format_duration(asked.older_than_s or 0)
        if self._newer is not None and status.st_mtime_ns <= self._newer:
            return "newer_than", format_duration(asked.newer_than_s or 0)
        if not self._owned(status.st_uid):
            return "owners", ", ".join(asked.owners)
        if self._gids is not None and status.st_gid not in self._gids:
            return "groups", ", ".join(asked.groups)
        return "types", ", ".join(asked.types)

    def _owned(self, uid: int) -> bool:
        """Whether files of this user are asked for: by name, or because they are in one of the groups."""
        if self._uids is None and self._teams is None:
            return True
        known = self._known.get(uid)
        if known is None:
            known = self._known[uid] = uid in (self._uids or ()) or not (self._teams or frozenset()).isdisjoint(_groups_of(uid))
        return known

    def _resolve(self, names: Iterable[str], look_up: Callable[[str], int], what: str) -> frozenset[int] | None:
        found: set[int] = set()
        asked = False
        for name in names:
            asked = True
            try:
                found.add(int(name) if name.isdecimal() else look_up(name))
            except KeyError:
                self.findings += (
                    Finding(
                        code=f"unknown-{what}",
                        severity=Severity.WARNING,
                        message=f"the {what} {name!r} of the classification is not known on this machine",
                        hint="correct the name, or write the number",
                    ),
                )
        return frozenset(found) if asked else None


def _groups_of(uid: int) -> Iterable[int]:
    """The groups of a user, the first one too; asked for by user, since a directory need not list who is in a group."""
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return ()
    return os.getgrouplist(user.pw_name, user.pw_gid)


def is_cache_folder(path: bytes) -> tuple[bool, int]:
    """Whether the folder's CACHEDIR.TAG bears the signature, and how many bytes were read to know."""
    try:
        descriptor = os.open(path + b"/" + CACHE_TAG, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False, 0
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False, 0
        head = os.read(descriptor, len(CACHE_SIGNATURE))
    except OSError:
        return False, 0
    finally:
        os.close(descriptor)
    return head == CACHE_SIGNATURE, len(head)


def text_of(path: bytes) -> str:
    """A path as patterns see it. A newline becomes a lone surrogate: `$` in a regular expression matches before a last newline too."""
    text = os.fsdecode(path)
    return text.replace("\n", "\udc0a") if "\n" in text else text


def pattern_lines(patterns: tuple[str, ...], root: bytes) -> list[str]:
    """The patterns as they hold below this root, in their order."""
    return [_anchored(pattern, os.fsdecode(root)) for pattern in patterns]


@lru_cache(maxsize=256)
def _compile(patterns: tuple[str, ...], root: bytes) -> _Matches | None:
    """Remembered, because small runs come many times a second."""
    if not patterns:
        return None
    spec = GitIgnoreSpec.from_lines(pattern_lines(patterns, root))
    parts = [pattern for pattern in spec.patterns if pattern.include is not None]
    if not parts:
        return None
    if all(pattern.include for pattern in parts):
        # Without negation the order does not matter, and one expression is several times faster than a list of them.
        joined = "|".join(f"(?:{pattern.regex.pattern})" for pattern in parts if pattern.regex is not None)
        match = re.compile(re.sub(r"\?P<\w+>", "?:", joined)).match
        return lambda path: match(path) is not None
    return spec.match_file


def _anchored(pattern: str, root: str) -> str:
    """`/srv/data/tmp` below the root `/srv/data` means `/tmp`; a leading `!` is kept."""
    negated = pattern.startswith("!")
    body = pattern[1:] if negated else pattern
    inside = root != "/" and body.startswith(root + "/")
    return ("!" if negated else "") + (body[len(root) :] if inside else body)
