"""Links of downloads: the order in an address, and what is no such thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import NotGranted
from holdfast.model.downloads import link_of, parse_token, token_of


@given(st.binary(max_size=300), st.binary(max_size=64))
def test_a_token_is_what_was_put_into_it(body: bytes, signature: bytes) -> None:
    assert parse_token(token_of(body, signature)) == (body, signature)


@given(st.text(max_size=60))
def test_anything_else_is_refused_or_spelled_the_one_way(text: str) -> None:
    try:
        body, signature = parse_token(text)
    except NotGranted:
        return
    assert token_of(body, signature) == text


@pytest.mark.parametrize("token", ["", ".", "a", "YQ==.YQ", "YR.YQ", "YQ.Y Q", "YQ.YQ.YQ", "x" * 20_000 + ".YQ"])
def test_odd_tokens(token: str) -> None:
    if token == ".":
        assert parse_token(token) == (b"", b"")
        return
    with pytest.raises(NotGranted):
        parse_token(token)


def test_an_address_takes_any_host_and_name() -> None:
    assert link_of("::1", 7443, "t", "a b/c") == "https://[::1]:7443/download/t/a%20b%2Fc"
