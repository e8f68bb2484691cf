"""Whose turn it is to be upgraded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.upgrades import Member, Standing, standing_of, upgrade_order


def _member(name: str, version: str, receives: bool = False) -> Member:
    return Member(name=name, version=version, receives=receives, online=True)


@pytest.mark.parametrize(
    ("theirs", "standing"),
    [
        ("1.4.2", Standing.CURRENT),
        ("1.4.1", Standing.OLDER),
        ("1.3.9", Standing.OLDER),
        ("1.4.3", Standing.NEWER),
        ("1.5.0", Standing.NEWER),
        ("1.2.0", Standing.FAR),
        ("2.4.2", Standing.FAR),
        ("", Standing.UNKNOWN),
    ],
)
def test_one_minor_version_either_way(theirs: str, standing: Standing) -> None:
    assert standing_of(theirs, "1.4.2") is standing


def test_receivers_go_before_senders() -> None:
    order = upgrade_order(
        "1.4.0", [_member("a", "1.3.0"), _member("vault", "1.3.0", receives=True), _member("b", "1.4.0"), _member("c", "")]
    )
    assert [(each.name, each.turn, each.next) for each in order.nodes] == [
        ("vault", 1, True),
        ("a", 2, False),
        ("b", 0, False),
        ("c", 0, False),
    ]


def test_the_master_goes_before_all() -> None:
    order = upgrade_order("1.4.0", [_member("a", "1.5.0"), _member("vault", "1.3.0", receives=True)])
    assert order.master_first
    assert not any(each.next for each in order.nodes)


_VERSIONS = st.builds("{}.{}.{}".format, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))


@given(_VERSIONS, st.lists(st.tuples(_VERSIONS, st.booleans()), max_size=6))
def test_following_the_turns_ends_with_all_alike(master: str, members: list[tuple[str, bool]]) -> None:
    versions = {str(number): version for number, (version, _) in enumerate(members)}
    receives = {str(number): receives for number, (_, receives) in enumerate(members)}
    for _ in range(len(members) + 2):
        order = upgrade_order(master, [_member(name, version, receives[name]) for name, version in versions.items()])
        if order.master_first:
            master = max([master, *versions.values()])
        for each in order.nodes:
            if each.next:
                versions[each.name] = master
    assert set(versions.values()) <= {master}
