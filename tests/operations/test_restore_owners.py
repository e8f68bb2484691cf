"""Whom restored files belong to."""

from __future__ import annotations

import os
import pwd

import pytest

from holdfast.core.errors import UsageError
from holdfast.model.entry import Entry, Kind
from holdfast.model.orders import Owners, parse_owner_change
from holdfast.operations.restore_owners import OwnerMap

ENTRY = Entry(path=b"/a", kind=Kind.FILE, mode=0o4755, uid=54_321, gid=54_322, user="ann", group="staff of there")


def test_as_they_were_nothing_is_touched() -> None:
    assert OwnerMap(Owners()).apply(ENTRY) is ENTRY


def test_by_name_who_has_it_here_and_the_id_where_nobody_has() -> None:
    root = pwd.getpwuid(0).pw_name
    entry = Entry(path=b"/a", kind=Kind.FILE, mode=0o644, uid=54_321, gid=54_322, user=root, group="nobody-has-this-group")
    applied = OwnerMap(Owners(by="name")).apply(entry)
    assert (applied.uid, applied.gid) == (0, 54_322)


def test_none_leaves_all_to_whoever_restores_and_nothing_acts_in_another_name() -> None:
    applied = OwnerMap(Owners(by="none")).apply(ENTRY)
    assert (applied.uid, applied.gid, applied.mode) == (-1, -1, 0o755)
    own = os.getuid()
    mapped = OwnerMap(Owners(by="none", users=(("ann", str(own)),), groups=(("54322", "0"),))).apply(ENTRY)
    assert (mapped.uid, mapped.gid, mapped.mode) == (own, 0, 0o4755)


def test_a_mapping_names_whom_this_machine_knows() -> None:
    with pytest.raises(UsageError, match="no user 'nobody-has-this-name'"):
        OwnerMap(Owners(users=(("ann", "nobody-has-this-name"),)))
    for text in ("ann", ":", "ann:", ":1", "a:b:c"):
        with pytest.raises(UsageError):
            parse_owner_change(text)
