"""Locations in object stores: what is read from them, what stock restic is told, what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import UsageError
from holdfast.model.object_location import ObjectLocation, parse_object_location

_WORD = st.text("abcdefghijklmnopqrstuvwxyzABCDEF0123456789._-=+@", min_size=1, max_size=20).filter(lambda text: text not in (".", ".."))


@pytest.mark.parametrize(
    ("text", "restic"),
    [
        ("s3://backup/holdfast?endpoint=https://s3.example.net", "s3:https://s3.example.net/backup/holdfast"),
        ("s3://backup?endpoint=http://127.0.0.1:7480/", "s3:http://127.0.0.1:7480/backup"),
        ("s3://backup/a/b/?region=eu-central-1", "s3:https://s3.eu-central-1.amazonaws.com/backup/a/b"),
        ("s3://backup/a?endpoint=http://[::1]:7480&connections=8&limit=5MB/s", "s3:http://[::1]:7480/backup/a"),
    ],
)
def test_what_restic_is_told(text: str, restic: str) -> None:
    assert parse_object_location(text).restic == restic


def test_every_option() -> None:
    text = "s3://b-1/p?endpoint=https://s3.example.net&region=x&style=virtual&connections=2&limit=2MiB/s&cache=1GB"
    assert parse_object_location(text) == ObjectLocation(
        bucket="b-1",
        prefix="p",
        endpoint="https://s3.example.net",
        region="x",
        virtual_hosts=True,
        connections=2,
        limit_bytes_s=2 << 20,
        cache_bytes=10**9,
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("s3:bucket", "location"),
        ("s3://", "bucket"),
        ("s3://b", "bucket"),
        ("s3://bucket/a//b", "prefix"),
        ("s3://bucket/../x", "prefix"),
        ("s3://bucket/a b", "prefix"),
        ("s3://bucket/ä", "prefix"),
        ("s3://bucket/a?endpoint=s3.example.net", "endpoint"),
        ("s3://bucket/a?endpoint=https://s3.example.net/path", "endpoint"),
        ("s3://bucket/a?endpoint=ftp://s3.example.net", "endpoint"),
        ("s3://bucket/a?endpoint=https://h:99999", "endpoint"),
        ("s3://bucket/a?endpoint=https://h;x", "endpoint"),
        ("s3://bucket/a?region=a/b", "region"),
        ("s3://bucket/a?style=both", "style"),
        ("s3://bucket/a?connections=0", "connections"),
        ("s3://bucket/a?connections=33", "connections"),
        ("s3://bucket/a?limit=fast", "rate"),
        ("s3://bucket/a?limit=5MB", "rate"),
        ("s3://bucket/a?cache=much", "size"),
        ("s3://bucket/a?region=a&region=b", "twice"),
        ("s3://bucket/a?region", "NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_named(text: str, part: str) -> None:
    with pytest.raises(UsageError, match=part) as caught:
        parse_object_location(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text", ["s3://b-b/a?secret_access_key=s3cr3t", "s3://b-b/a?endpoint=https://key:s3cr3t@host", "s3://b-b/a?key=s3cr3t"]
)
def test_keys_have_no_place_in_it_and_are_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_object_location(text)
    assert "s3cr3t" not in caught.value.message + caught.value.hint
    assert "HOME/keys" in caught.value.hint


@given(st.lists(_WORD, max_size=4), st.sampled_from(["", "https://s3.example.net", "http://10.0.0.1:9000"]))
def test_prefixes_come_through(parts: list[str], endpoint: str) -> None:
    prefix = "/".join(parts)
    found = parse_object_location(f"s3://bucket/{prefix}" + (f"?endpoint={endpoint}" if endpoint else ""))
    assert (found.prefix, found.endpoint) == (prefix, endpoint)
    assert found.restic.endswith(f"/bucket/{prefix}".rstrip("/"))


@given(st.text(max_size=200))
def test_anything_is_a_location_or_a_typed_error(text: str) -> None:
    for candidate in (text, f"s3://{text}", f"s3://bucket/a?{text}", f"s3://bucket/a?endpoint=https://{text}"):
        with suppress(UsageError):
            assert parse_object_location(candidate).bucket
