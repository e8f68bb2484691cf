"""The names of archived versions: what is written is read back, and nothing else passes for one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.clock import ns_of
from holdfast.core.ids import DatasetId
from holdfast.model.archiving import (
    LONGEST_TARGET_BYTES,
    Stub,
    lineage_path,
    parse_lineage_path,
    parse_stub,
    parse_time_name,
    stub_target,
    time_name,
)
from holdfast.model.moments import archive_of, dataset_of_archive, dataset_of_versions, is_lineage_address, versions_of

RECALL = b"/var/lib/holdfast/recall"
DATASET = DatasetId("0123456789abcdef" * 2)
_NAMES = (
    st.binary(min_size=1, max_size=255)
    .map(lambda name: name.replace(b"/", b"@").replace(b"\0", b"\xff"))
    .filter(lambda name: name not in (b".", b".."))
)
_PATHS = st.lists(_NAMES, min_size=1, max_size=6).map(lambda names: b"/" + b"/".join(names))
_TIMES = st.integers(0, ns_of(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)))


@given(_TIMES, _TIMES)
def test_times_have_one_length_and_sort(one_ns: int, other_ns: int) -> None:
    one, other = time_name(one_ns), time_name(other_ns)
    assert parse_time_name(one) == one_ns
    assert len(one) == len(other) == 26
    assert (one < other) == (one_ns < other_ns)


@pytest.mark.parametrize("ns", [-1, 253_402_300_800 * 10**9])
def test_no_time_of_an_archive(ns: int) -> None:
    with pytest.raises(ValueError, match="no time"):
        time_name(ns)


@given(st.text(max_size=30))
def test_what_is_no_time_is_none(text: str) -> None:
    found = parse_time_name(text)
    assert found is None or time_name(found) == text


@given(_PATHS, _TIMES)
def test_a_stub_is_read_back_whatever_the_name(path: bytes, archived_ns: int) -> None:
    stub = Stub(dataset=DATASET, archived_ns=archived_ns, path=path)
    target = stub_target(RECALL, stub)
    assert parse_stub(RECALL, target) == stub
    assert parse_lineage_path(lineage_path(archived_ns, path)) == (archived_ns, path)
    assert target == RECALL + b"/" + DATASET.encode() + lineage_path(archived_ns, path)


@given(st.binary(max_size=120))
def test_other_links_are_no_stubs(target: bytes) -> None:
    assert parse_stub(RECALL, target) is None


@pytest.mark.parametrize(
    "target",
    [
        RECALL,
        RECALL + b"/" + DATASET.encode(),
        RECALL + b"/" + DATASET.encode() + b"/20260501T140533.123456789Z",
        RECALL + b"/" + DATASET.encode() + b"/20260501T140533.123456789Z/",
        RECALL + b"/" + DATASET.encode() + b"/20260501T140533.123456789Z/a/../b",
        RECALL + b"/" + DATASET.encode() + b"/20260501T140533.1234567Z/a",
        RECALL + b"/" + DATASET.encode() + b"/20261301T140533.123456789Z/a",
        RECALL + b"/short/20260501T140533.123456789Z/a",
        RECALL + b"s/" + DATASET.encode() + b"/20260501T140533.123456789Z/a",
    ],
)
def test_near_misses_are_no_stubs(target: bytes) -> None:
    assert parse_stub(RECALL, target) is None


def test_a_link_too_long_is_refused() -> None:
    room = LONGEST_TARGET_BYTES - len(stub_target(RECALL, Stub(dataset=DATASET, archived_ns=0, path=b"/a")))
    path = b"/a" + b"/b" * (room // 2)
    stub_target(RECALL, Stub(dataset=DATASET, archived_ns=0, path=path))
    with pytest.raises(ValueError, match="bytes"):
        stub_target(RECALL, Stub(dataset=DATASET, archived_ns=0, path=path + b"/b"))


def test_addresses_of_lineages() -> None:
    assert dataset_of_archive(archive_of(DATASET)) == DATASET
    assert dataset_of_archive("files1/documents@archive") == "files1/documents"
    assert dataset_of_archive(versions_of(DATASET)) == dataset_of_versions(archive_of(DATASET)) == ""
    assert is_lineage_address(archive_of(DATASET))
    assert is_lineage_address(versions_of(DATASET))
    assert not is_lineage_address(f"{DATASET}@2026-01-31T12:00:00Z")
