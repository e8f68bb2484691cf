"""The plan of a prune: what goes, what is copied, what may stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.repository._format.pack import TARGET_BYTES, BlobType
from holdfast.repository.packs.reachable import PackContent
from holdfast.repository.pruning.prune_plan import Thresholds, plan_prune


def _pack(number: int, used: int, size: int, kind: BlobType | None = BlobType.DATA) -> PackContent:
    """Blobs of 100 bytes."""
    return PackContent(number, kind, size // 100, size, used // 100, used)


_packs = st.lists(
    st.tuples(st.integers(0, 300), st.integers(1, 300), st.sampled_from([BlobType.DATA, BlobType.TREE, None])).map(
        lambda drawn: (min(drawn[0], drawn[1]) * 100_000, drawn[1] * 100_000, drawn[2])
    ),
    max_size=30,
).map(lambda rows: [_pack(number + 1, *row) for number, row in enumerate(rows)])


@given(packs=_packs, in_use=st.frozensets(st.integers(1, 30)), max_unused=st.floats(0, 1), limit=st.none() | st.integers(0, 50_000_000))
def test_every_plan_keeps_what_is_needed_and_its_limits(
    packs: list[PackContent], in_use: frozenset[int], max_unused: float, limit: int | None
) -> None:
    plan = plan_prune(packs, in_use, Thresholds(max_unused=max_unused, max_repack_bytes=limit))
    assert not plan.goes & in_use
    assert all(pack.used_blobs == 0 for pack in plan.remove)
    assert {pack.number for pack in packs if not pack.used_blobs} - in_use == {pack.number for pack in plan.remove}
    assert len(plan.goes) == len(plan.remove) + len(plan.repack)
    assert limit is None or plan.repacked_bytes <= limit
    stays = [pack for pack in packs if pack.number not in plan.goes]
    assert plan.kept_unused_bytes == sum(pack.size_bytes - pack.used_bytes for pack in stays)
    if limit is None:
        free = [pack for pack in stays if pack.number not in in_use]
        assert all(pack.type is BlobType.DATA or (pack.type and pack.used_bytes == pack.size_bytes) for pack in free)
        needless = sum(pack.size_bytes - pack.used_bytes for pack in free)
        assert not needless or plan.kept_unused_bytes <= max_unused * plan.used_bytes


def test_the_most_needless_go_first() -> None:
    packs = [_pack(1, 15_000_000, 16_000_000), _pack(2, 1_000_000, 16_000_000), _pack(3, 15_900_000, 16_000_000)]
    assert [pack.number for pack in plan_prune(packs, frozenset(), Thresholds(max_unused=0.05)).repack] == [2]


def test_small_packs_are_joined_once_they_make_up_a_whole_one() -> None:
    small = [_pack(number, 4_000_000, 4_000_000) for number in range(1, 4)]
    assert plan_prune(small, frozenset(), Thresholds()).repack == ()
    enough = [*small, _pack(4, 6_000_000, 6_000_000), _pack(5, TARGET_BYTES // 100 * 100, TARGET_BYTES // 100 * 100)]
    assert [pack.number for pack in plan_prune(enough, frozenset(), Thresholds()).repack] == [1, 2, 3, 4]
    assert [pack.number for pack in plan_prune(enough, frozenset(), Thresholds(max_repack_bytes=10_000_000)).repack] == []
    many = [_pack(number, 1_000, 1_000, BlobType.TREE) for number in range(1, 51)]
    assert len(plan_prune(many, frozenset(), Thresholds()).repack) == 50
