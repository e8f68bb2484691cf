"""Whatever is done to a log of records, verification says so; what was not done to it, it does not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.core.errors import UsageError
from holdfast.model.audit import (
    NO_RECORD,
    Anchor,
    AuditRecord,
    Phase,
    StoredRecord,
    arguments_text,
    decode_line,
    digest_of,
    encode_record,
    verify_chain,
)

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def chain(length: int, user: str = "admin", first: int = 1, previous: str = NO_RECORD) -> list[StoredRecord]:
    stored: list[StoredRecord] = []
    for number in range(first, first + length):
        record = AuditRecord(
            number=number, at=AT + timedelta(seconds=number), phase=Phase.ASKED, user=user, activity="apply", previous=previous
        )
        encoded = encode_record(record)
        previous = digest_of(encoded)
        stored.append(StoredRecord(encoded.decode(), previous))
    return stored


def anchor_of(stored: list[StoredRecord], number: int) -> Anchor:
    return Anchor(number=number, digest=stored[number - 1].digest, at=AT)


def codes(stored: list[StoredRecord], *anchors: Anchor) -> list[tuple[str, int]]:
    return [(finding.code, finding.number) for finding in verify_chain(stored, {"files1": anchors})]


lengths = st.integers(2, 12)


@given(lengths, st.data())
def test_a_chain_nobody_touched_has_no_finding(length: int, data: st.DataObject) -> None:
    stored = chain(length)
    numbers = data.draw(st.sets(st.integers(1, length)))
    assert codes(stored, *(anchor_of(stored, number) for number in numbers)) == []


@given(lengths, st.data())
def test_an_edited_record_is_found(length: int, data: st.DataObject) -> None:
    stored = chain(length)
    place = data.draw(st.integers(0, length - 1))
    stored[place] = StoredRecord(stored[place].record.replace("admin", "nobody"), stored[place].digest)
    assert codes(stored) == [("audit-edited", place + 1)]


@given(lengths, st.data())
def test_an_edited_record_with_a_digest_that_fits_breaks_what_follows(length: int, data: st.DataObject) -> None:
    stored = chain(length)
    place = data.draw(st.integers(0, length - 2))
    edited = stored[place].record.replace("admin", "nobody")
    stored[place] = StoredRecord(edited, digest_of(edited.encode()))
    assert codes(stored) == [("audit-broken", place + 2)]


@given(lengths, st.data())
def test_a_removed_record_is_found(length: int, data: st.DataObject) -> None:
    stored = chain(length)
    place = data.draw(st.integers(0, length - 2))
    del stored[place]
    assert codes(stored) == [("audit-removed", place + 1)]


@given(lengths, st.data())
def test_an_inserted_record_is_found(length: int, data: st.DataObject) -> None:
    stored = chain(length)
    place = data.draw(st.integers(1, length))
    stored[place:place] = chain(1, "intruder", first=place, previous=stored[place - 1].digest)
    assert ("audit-inserted", place) in codes(stored)


@given(lengths, st.data())
def test_a_chain_rewritten_to_its_end_contradicts_who_was_told(length: int, data: st.DataObject) -> None:
    stored = chain(length)
    place = data.draw(st.integers(0, length - 1))
    told = data.draw(st.integers(place + 1, length))
    anchor = anchor_of(stored, told)
    before = stored[place - 1].digest if place else NO_RECORD
    rewritten = stored[:place] + chain(length - place, "nobody", first=place + 1, previous=before)
    assert codes(rewritten) == []
    assert codes(rewritten, anchor) == [("audit-rewritten", told)]


@given(lengths, st.data())
def test_a_tail_cut_off_is_found_by_who_was_told(length: int, data: st.DataObject) -> None:
    stored = chain(length)
    left = data.draw(st.integers(0, length - 1))
    assert codes(stored[:left], anchor_of(stored, length)) == [("audit-cut-off", left)]


def test_rows_that_are_no_records_are_findings_and_no_crash() -> None:
    stored = chain(3)
    stored[1] = StoredRecord("{", stored[1].digest)
    assert codes(stored) == [("audit-edited", 2)]
    odd = replace(AuditRecord(number=7, at=AT, phase=Phase.LOOKED), previous="f" * 64)
    assert [code for code, _ in codes([StoredRecord(encode_record(odd).decode(), "")])] == ["audit-edited", "audit-removed"]


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3), st.binary(max_size=40))
def test_arguments_of_any_call_have_a_text(query: dict[str, str], body: bytes) -> None:
    arguments_text(query, body)


def test_secrets_are_struck_out_however_deep_and_what_is_long_is_told_by_its_digest() -> None:
    text = arguments_text({"token": "t0p"}, b'{"user":"u","Password":"s3cret","list":[{"code":"c0de"}]}')
    assert not any(secret in text for secret in ("t0p", "s3cret", "c0de"))
    assert '"user":"u"' in text
    assert set(arguments_text({}, b'"' + b"x" * 100_000 + b'"')) < set(arguments_text({}, b'"' + b"x" * 100_000 + b'"') + "x")
    assert len(arguments_text({}, b'"' + b"x" * 100_000 + b'"')) < 200


@pytest.mark.parametrize("line", [b"", b"{}", b"\xff", b'{"record":1,"digest":"x"}'])
def test_a_line_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(UsageError, match="no line of an audit log"):
        decode_line(line)
