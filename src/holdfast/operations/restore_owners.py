"""Whom restored files belong to: the ids of the source, the names it had for them, or others that somebody says."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable

from msgspec.structs import replace

from holdfast.core.errors import UsageError
from holdfast.model.entry import Entry
from holdfast.model.orders import Owners

_UNCHANGED = -1
_SETUID_SETGID = 0o6000


class OwnerMap:
    """Raises `UsageError` where a name on the right of a mapping is not known on this machine."""

    def __init__(self, owners: Owners) -> None:
        self._by = owners.by
        self._users = _Side(owners.by, dict(owners.users), _user_id, "user")
        self._groups = _Side(owners.by, dict(owners.groups), _group_id, "group")
        self._is_plain = owners.by == "numeric" and not owners.users and not owners.groups

    def apply(self, entry: Entry) -> Entry:
        """The entry as it shall be written. One that is not given to its owner does not act in that owner's name either."""
        if self._is_plain:
            return entry
        uid, gid = self._users.id_of(entry.uid, entry.user), self._groups.id_of(entry.gid, entry.group)
        mode = entry.mode & ~_SETUID_SETGID if _UNCHANGED in (uid, gid) else entry.mode
        if (uid, gid, mode) == (entry.uid, entry.gid, entry.mode):
            return entry
        return replace(entry, uid=uid, gid=gid, mode=mode)


class _Side:
    """Users, or groups."""

    def __init__(self, by: str, mapped: dict[str, str], look_up: Callable[[str], int | None], what: str) -> None:
        self._by = by
        self._look_up = look_up
        self._mapped = {given: _id_here(wanted, look_up, what) for given, wanted in mapped.items()}
        self._known: dict[tuple[int, str], int] = {}

    def id_of(self, number: int, name: str) -> int:
        found = self._known.get((number, name))
        if found is None:
            found = self._known[(number, name)] = self._find(number, name)
        return found

    def _find(self, number: int, name: str) -> int:
        for given in (name, str(number)):
            if given and given in self._mapped:
                return self._mapped[given]
        if self._by == "none":
            return _UNCHANGED
        here = self._look_up(name) if self._by == "name" and name else None
        return number if here is None else here


def _id_here(wanted: str, look_up: Callable[[str], int | None], what: str) -> int:
    if wanted.isdecimal():
        return int(wanted)
    found = look_up(wanted)
    if found is None:
        raise UsageError(f"there is no {what} {wanted!r} on this machine", hint="name one that is there, or write its number")
    return found


def _user_id(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _group_id(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
