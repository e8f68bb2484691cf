"""Calls that Hypothesis makes of the OpenAPI document: as it says, against what it says, and hostile.

Words in them that name something mostly name something that is there, else most calls would end at the first look-up.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core import NotSet
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation

from tests.master.masters import ONE_TO_TWO

BASE_URL = "https://master.test:7440"
POINT = "a" * 32
JOB = "c" * 32
KNOWN: dict[str, tuple[Any, ...]] = {
    "flow": ("office",),
    "node": ("files1", "vault", "dr"),
    "repository": ("main", "offsite"),
    "job": (JOB,),
    "number": (1, 2),
    "anomaly": ("f" * 32,),
    "dataset": ("files1/documents", "d" * 32),
    "point": (POINT, "a" * 8),
    "points": ([POINT], ["a" * 8]),
    "a": (POINT,),
    "b": (POINT,),
    "path": ("/srv/documents", "/srv/a%FF", "/"),
    "paths": (["/srv/documents/a"],),
    "to": ("/tmp/x",),
    "location": ("/srv/elsewhere",),
    "text": (ONE_TO_TWO,),
    "base_revision": (1, 2),
    "at": ("2h ago", "2026-01-02T00:00:00Z", ["02:30"]),
    "since": ("2h ago",),
    "until": ("2026-01-02T00:00:00Z",),
    "every": ("1h",),
    "duration": ("30d",),
    "undo_for": ("7d",),
    "zone": ("Europe/Berlin",),
    "sample": ("1%", "all"),
    "subset": ("1/10",),
    "size": (">0",),
    "keep": ({"daily": 7},),
    "classification": ({"paths": ["/srv"]},),
    "operations": ([{"op": "set", "path": ["nodes", "x"], "value": {}}],),
    "user": ("admin",),
}
TEXTS = (
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\u202e\u2066\ufeff",
    "%00",
    "%",
    "%FF%FE",
    "../../etc/passwd",
    "'; drop table users; --",
    "{}%s%n${x}",
    "\r\nX-Injected: 1",
    "\U0010ffff",
    "e\u0301" * 200,
    "a" * 70_000,
    "9" * 5_000,
    "-1",
    "1e400",
    "NaN",
    "99999999999999999d",
    "9999-12-31T23:59:59+23:59",
    "0001-01-01T00:00:00-23:59",
    "999999999999h ago",
)


def _deep(levels: int) -> Any:
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


NUMBERS = (10**400, -(10**400), 1 << 63, -(1 << 63) - 1, 1 << 64, 1e308, -1e308, 5e-324, -0.0, float("nan"), float("inf"), 0, -1)
ODD = (None, True, [], {}, [[]], [None], {"": ""}, {"\0": "\ud800"}, _deep(90), ["\0"] * 3)
HOSTILE = (*TEXTS, *NUMBERS, *ODD)
BODIES = (
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"[" * 50_000,
    b'{"a":' * 30_000,
    b'{"a": ' + b"9" * 60_000 + b"}",
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"\x00" * 64,
    b"{}{}",
    b'{"a": NaN}',
    b'{"dry_run": true, "dry_run": false}',
)
TYPES = ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a/b; charset=\xff", "")


@st.composite
def calls(draw: Callable[[st.SearchStrategy[Any]], Any], operation: APIOperation[Any], mode: GenerationMode) -> Case[Any]:
    """One call of this operation."""
    case: Case[Any] = draw(operation.as_strategy(generation_mode=mode))
    for part in _parts(case):
        for name in part:
            if name in KNOWN and draw(st.integers(0, 3)):
                part[name] = draw(st.sampled_from(KNOWN[name]))
    return case


@st.composite
def hostile_requests(draw: Callable[[st.SearchStrategy[Any]], Any], operation: APIOperation[Any]) -> httpx.Request:
    """A call that says something nobody would, in one to three places of an otherwise good one; or one whose body is no body."""
    case = draw(calls(operation, GenerationMode.POSITIVE))
    places = [(part, name) for part in _parts(case) for name in [*part, *_names_left_out(operation, case, part)]]
    for part, name in draw(st.lists(st.sampled_from(places), max_size=3)) if places else ():
        part[name] = draw(st.sampled_from(TEXTS if part is case.path_parameters else HOSTILE))
    headers = {"content-type": "application/json"}
    body = None if isinstance(case.body, NotSet) else json.dumps(case.body).encode()
    if body is not None and not draw(st.integers(0, 4)):
        body, headers["content-type"] = draw(st.sampled_from(BODIES)), draw(st.sampled_from(TYPES))
    return request_of(case, content=body, headers=headers)


def request_of(case: Case[Any], *, content: bytes | None = None, headers: dict[str, str] | None = None) -> httpx.Request:
    """The request, with every byte of a name or word percent-encoded as it is, half characters too."""
    path = case.path
    for name, value in case.path_parameters.items():
        path = path.replace(f"{{{name}}}", quote(_word(value, 2_000), safe="") or "%20")
    query = {name: value for name, value in case.query.items() if value is not None}
    if "wait_s" in query:
        query["wait_s"] = 0
    words = urlencode({_word(name, 200): _word(value, 5_000) for name, value in query.items()})
    if content is None and not isinstance(case.body, NotSet):
        content = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
        headers = {"content-type": case.media_type or "application/json"}
    sent = {name.encode(): value.encode(errors="replace") for name, value in (headers or {}).items()}
    return httpx.Request(case.method, f"{BASE_URL}{path}{'?' if words else ''}{words}", headers=sent, content=content or b"")


def _word(value: Any, most_bytes: int) -> bytes:
    """As bytes of an address: half characters too, and cut off where the client itself would give up."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="surrogatepass")[:most_bytes]


def _parts(case: Case[Any]) -> list[dict[str, Any]]:
    parts = [case.path_parameters, case.query]
    return [*parts, case.body] if isinstance(case.body, dict) else parts


def _names_left_out(operation: APIOperation[Any], case: Case[Any], part: dict[str, Any]) -> list[str]:
    if part is case.query:
        return [parameter.name for parameter in operation.query if parameter.name not in part]
    if part is case.body:
        schema = next(iter(operation.body)).optimized_schema
        properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
        return [name for name in properties if name not in part]
    return []
