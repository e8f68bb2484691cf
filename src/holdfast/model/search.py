"""Searching over all time: what is looked for, and how that is written as parameters.

The one query language of command line, API and console: each flag, parameter and filter is one entry of a table of texts, `search_of` reads
it and `parameters_of` writes it. All that is given must hold; size, time, owner and type of one and the same version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum
from typing import TypeVar
from urllib.parse import quote, unquote_to_bytes

import msgspec

from holdfast.core.errors import UsageError
from holdfast.core.units import parse_size_bytes, parse_time
from holdfast.model.entry import Kind
from holdfast.model.regular_machine import Regular

E = TypeVar("E", bound=Enum)
LONGEST_NAME = 4_096
_LONGEST_ENDING = 100
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LAST_SIZE = (1 << 63) - 1


class Match(str, Enum):
    """How a name is meant. With a `/` in it all of them look at the whole path, else at the name alone."""

    GLOB = "glob"
    """`*` any number of characters, `?` one, `[abc]` one of these; it stands for all of the name."""
    PART = "part"
    """As it is, anywhere in it."""
    REGEX = "regex"
    """A regular expression (`regular_syntax`), anywhere in it."""


class State(str, Enum):
    """Of a path in the newest state of its dataset."""

    EXISTING = "existing"
    DELETED = "deleted"


KINDS_OF_TYPE: dict[str, tuple[Kind, ...]] = {
    "file": (Kind.FILE,),
    "folder": (Kind.DIRECTORY,),
    "link": (Kind.SYMLINK,),
    "other": (Kind.FIFO, Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE),
}


class Span(msgspec.Struct, frozen=True, omit_defaults=True):
    """Both ends belong to it; None = open."""

    since: datetime | None = None
    until: datetime | None = None


class Search(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is left at its default is not asked for. `under`: the path of a folder
    above it. `size_from` and `size_to` (bytes) belong to what is
    looked for. `modified`: the file's own time. `existed`: there was a moment in it at which the version was there. `owner`: a user's name,
    or the number of one. `types`: keys of `KINDS_OF_TYPE`, one of which it must be. `ending`: without its dot, in any case."""

    name: str = ""
    match: Match = Match.GLOB
    ignore_case: bool = False
    under: bytes = b""
    size_from: int | None = None
    size_to: int | None = None
    modified: Span = Span()
    existed: Span = Span()
    owner: str = ""
    types: tuple[str, ...] = ()
    ending: str = ""
    state: State | None = None


PARAMETERS = ("name", "match", "case", "under", "size", "modified", "existed", "owner", "type", "ending", "state")
"""`name` as `match` says (glob, part, regex); `case`: `ignore`; `under`: percent-encoded; `size`: `>1MB`, `<=4KiB`, `1MB..2MB`, `0`;
`modified` and `existed`: `FROM..TO`, either end may be missing, or one day or time; `type`: of file, folder, link, other, with commas
between; `state`: `existing` or `deleted`."""


def search_of(parameters: Mapping[str, str], now: datetime, zone: tzinfo | None = UTC) -> Search:
    """Empty texts count as not given. `zone` of times that name none, None = this machine's. Raises `UsageError`, whose context names the
    parameter as `place`."""
    given = {name: text for name, text in parameters.items() if text}
    for name in given:
        if name not in PARAMETERS:
            raise _refusal(name, f"a search has no {name!r}", f"it has {', '.join(PARAMETERS)}")
    size_from, size_to = _sizes(given.get("size", ""))
    search = Search(
        name=given.get("name", ""),
        match=_one_of(Match, "match", given.get("match", Match.GLOB.value)),
        ignore_case=_ignores_case(given.get("case", "")),
        under=_under(given.get("under", "")),
        size_from=size_from,
        size_to=size_to,
        modified=_span("modified", given.get("modified", ""), now, zone),
        existed=_span("existed", given.get("existed", ""), now, zone),
        owner=given.get("owner", ""),
        types=_types(given.get("type", "")),
        ending=_ending(given.get("ending", "")),
        state=_one_of(State, "state", given["state"]) if "state" in given else None,
    )
    return check_search(search)


def check_search(search: Search) -> Search:
    """The same. Raises `UsageError` for what no owner can look for."""
    if len(search.name) > LONGEST_NAME:
        raise _refusal("name", f"the name has {len(search.name)} characters", f"at most {LONGEST_NAME}, which is more than any path has")
    if search.match is Match.REGEX and search.name:
        Regular(search.name, fold=search.ignore_case)
    if search == Search(match=search.match, ignore_case=search.ignore_case):
        raise _refusal("name", "find what?", "give a name or a part of one, or something else to go by: size, time, owner, type")
    return search


def parameters_of(search: Search) -> dict[str, str]:
    """What `search_of` reads as this."""
    found = {
        "name": search.name,
        "match": search.match.value if search.match is not Match.GLOB else "",
        "case": "ignore" if search.ignore_case else "",
        "under": quote(search.under, safe="/"),
        "size": _ends_text(search.size_from, search.size_to),
        "modified": _ends_text(_time_text(search.modified.since), _time_text(search.modified.until)),
        "existed": _ends_text(_time_text(search.existed.since), _time_text(search.existed.until)),
        "owner": search.owner,
        "type": ",".join(search.types),
        "ending": search.ending,
        "state": search.state.value if search.state else "",
    }
    return {name: text for name, text in found.items() if text}


def _refusal(place: str, message: str, hint: str) -> UsageError:
    return UsageError(message, hint=hint, place=place)


def _one_of(kind: type[E], place: str, text: str) -> E:
    try:
        return kind(text)
    except ValueError:
        known = ", ".join(str(each.value) for each in kind)
        raise _refusal(place, f"{place} is not one of those there are: {text[:LONGEST_NAME]!r}", f"one of {known}") from None


def _ignores_case(text: str) -> bool:
    if text not in ("", "ignore", "heed"):
        raise _refusal("case", f"case is not one of those there are: {text!r}", "ignore or heed")
    return text == "ignore"


def _under(text: str) -> bytes:
    folder = unquote_to_bytes(text).rstrip(b"/")
    if text and not text.startswith("/"):
        raise _refusal("under", f"{text} is not an absolute path", "folders are as on the source, like /srv/documents")
    return folder


def _types(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for each in found:
        if each not in KINDS_OF_TYPE:
            raise _refusal("type", f"there is no type {each!r}", f"one of {', '.join(KINDS_OF_TYPE)}, or several with commas")
    return found


def _ending(text: str) -> str:
    ending = text.removeprefix(".").casefold()
    if "/" in ending or len(ending) > _LONGEST_ENDING:
        raise _refusal("ending", f"no name ends with {text[:LONGEST_NAME]!r}", "write it like pdf or tar.gz")
    return ending


def _sizes(text: str) -> tuple[int | None, int | None]:
    if not text:
        return None, None
    low, dots, high = text.partition("..")
    if dots:
        found = (_size(low) if low.strip() else None), (_size(high) if high.strip() else None)
    elif text.startswith(">"):
        found = (_size(text[2:]) if text.startswith(">=") else _size(text[1:]) + 1), None
    elif text.startswith("<"):
        found = None, (_size(text[2:]) if text.startswith("<=") else _size(text[1:]) - 1)
    else:
        found = _size(text), _size(text)
    if found == (None, None) or (found[0] is not None and found[1] is not None and found[0] > found[1]) or found[1] == -1:
        raise _refusal("size", f"no size is within {text!r}", "write it like >1MB, <=4KiB or 1MB..2MB")
    return found


def _size(text: str) -> int:
    try:
        return min(parse_size_bytes(text), _LAST_SIZE - 1)
    except UsageError as error:
        raise _refusal("size", error.message, "write it like >1MB, <=4KiB or 1MB..2MB") from error


def _span(place: str, text: str, now: datetime, zone: tzinfo | None) -> Span:
    if not text:
        return Span()
    low, dots, high = (part.strip() for part in text.partition(".."))
    since = _time(place, low, now, zone) if low else None
    if not dots:
        return Span(since, _end_of(low, since))
    until = _end_of(high, _time(place, high, now, zone)) if high else None
    if since is None and until is None:
        raise _refusal(place, f"{place} names no time: {text!r}", "write it like 2026-01-01..2026-01-31 or '7d ago..'")
    if since is not None and until is not None and until < since:
        raise _refusal(place, f"{place} ends before it begins: {text!r}", "write the earlier time first")
    return Span(since, until)


def _time(place: str, text: str, now: datetime, zone: tzinfo | None) -> datetime:
    try:
        return parse_time(text, now, zone)
    except UsageError as error:
        raise _refusal(place, f"{place}: {error.message}", error.hint) from error


def _end_of(text: str, moment: datetime | None) -> datetime | None:
    """A bare date as an end means all of that day."""
    if moment is None or not _DATE.fullmatch(text):
        return moment
    try:
        return moment + timedelta(days=1) - timedelta(microseconds=1)
    except OverflowError:
        return moment


def _time_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _ends_text(low: int | str | None, high: int | str | None) -> str:
    return "" if low is None and high is None else f"{'' if low is None else low}..{'' if high is None else high}"
