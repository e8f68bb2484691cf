"""Go's way to write text: JSON strings, `strconv.Quote`, RFC 3339 times with nanoseconds.

Sources: Go's `encoding/json` (HTML escaping on), `strconv`, `time`. restic hashes what these produce, so we produce the same.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from holdfast.core.errors import RepositoryDamaged

_JSON_SPECIAL = re.compile('["\\\\<>&\u2028\u2029\x00-\x1f]')
_JSON_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_QUOTE_SHORT = {0x07: "\\a", 0x08: "\\b", 0x0C: "\\f", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x0B: "\\v"}
_UNQUOTE_SHORT = {"a": b"\x07", "b": b"\x08", "f": b"\x0c", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\x0b", "\\": b"\\", '"': b'"'}
# Names that stand for themselves in both: most of them.
_PLAIN_NAME = re.compile(rb"[A-Za-z0-9 !#$%()*+,./:;=?@^_{|}~-]+")
_ESCAPE = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<o>[0-3][0-7]{2})|(?P<s>[abfnrtv\\\"]))"
)
_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_REST = re.compile(r"(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))")

# What Python's calendar and restic's "years 0 to 9999" both hold.
FIRST_NS = timegm((1, 1, 1, 0, 0, 0)) * 1_000_000_000
LAST_NS = (timegm((9999, 12, 31, 23, 59, 59)) + 1) * 1_000_000_000 - 1


def _escape_one(match: re.Match[str]) -> str:
    char = match.group()
    return _JSON_SHORT.get(char) or f"\\u{ord(char):04x}"


def json_string(text: str) -> str:
    """A JSON string literal as Go writes it. Lone surrogates (bytes that are not UTF-8) become U+FFFD, as in Go."""
    if _JSON_SPECIAL.search(text):
        text = _JSON_SPECIAL.sub(_escape_one, text)
    return f'"{text}"'


def json_bytes(raw: bytes) -> str:
    """The literal for bytes that should be UTF-8; each wrong byte becomes `\\ufffd`, Go's replacement, written as an escape."""
    try:
        return json_string(raw.decode("utf-8"))
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "surrogateescape")
        return re.sub("[\udc80-\udcff]", lambda _: "\\ufffd", json_string(text))


def _quote_one(char: str) -> str:
    code = ord(char)
    if char in '"\\':
        return "\\" + char
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if char.isprintable():
        return char
    if code in _QUOTE_SHORT:
        return _QUOTE_SHORT[code]
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote(raw: bytes) -> str:
    """`strconv.Quote` without the outer quotes: how restic writes names, so that any bytes survive JSON."""
    if raw.isalnum():
        return raw.decode("ascii")
    text = raw.decode("utf-8", "surrogateescape")
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(map(_quote_one, text))


def name_text(raw: bytes) -> str:
    """The JSON literal of a name as restic writes it: quoted by Go's rules, then as a JSON string."""
    if _PLAIN_NAME.fullmatch(raw) is not None:
        return f'"{raw.decode("ascii")}"'
    return json_string(quote(raw))


def _unquote_one(match: re.Match[str]) -> bytes:
    kind, value = match.lastgroup, match.group(match.lastindex or 0)
    if kind == "s":
        return _UNQUOTE_SHORT[value]
    if kind == "x":
        return bytes([int(value, 16)])
    if kind == "o":
        return bytes([int(value, 8)])
    return chr(int(value, 16)).encode("utf-8")


def unquote(text: str) -> bytes:
    """Inverse of `quote`, for all that `strconv.Unquote` takes; raises `RepositoryDamaged`."""
    if "\\" not in text and '"' not in text:
        return text.encode("utf-8", "surrogatepass")
    pieces: list[bytes] = []
    position = 0
    try:
        while position < len(text):
            if text[position] == "\\":
                match = _ESCAPE.match(text, position)
                if match is None:
                    raise RepositoryDamaged(f"a name has a wrong escape: {text!r}")
                pieces.append(_unquote_one(match))
                position = match.end()
                continue
            end = text.find("\\", position)
            plain = text[position:] if end < 0 else text[position:end]
            if '"' in plain:
                raise RepositoryDamaged(f"a name has a bare quote: {text!r}")
            pieces.append(plain.encode("utf-8", "surrogatepass"))
            position += len(plain)
    except (UnicodeEncodeError, ValueError, OverflowError) as error:
        raise RepositoryDamaged(f"a name has a wrong escape: {text!r}") from error
    return b"".join(pieces)


@lru_cache(maxsize=4096)
def _second_text(seconds: int | str) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()[:19]


def time_text(ns: int) -> str:
    """RFC 3339 in UTC, fraction without trailing zeros. Times outside the years 1 to 9999 are moved to the nearest end."""
    if 1_000_000_000 <= ns <= LAST_NS:
        # Cut as text: dividing such numbers costs more, and three of them are written for each file.
        digits = str(ns)
        if digits[-1] != "0":
            return f"{_second_text(digits[:-9])}.{digits[-9:]}Z"
    if not FIRST_NS <= ns <= LAST_NS:
        ns = FIRST_NS if ns < FIRST_NS else LAST_NS
    seconds, fraction = divmod(ns, 1_000_000_000)
    if not fraction:
        return _second_text(seconds) + "Z"
    return f"{_second_text(seconds)}.{fraction:09d}".rstrip("0") + "Z"


def zoned_time_text(ns: int, zone: tzinfo) -> str:
    """As `time_text`, on the clock of a zone and with its offset, as restic writes the time of a snapshot: `restic forget` cuts days where
    it says. In UTC where the offset is not of whole minutes, or the year not one of ours."""
    seconds, fraction = divmod(ns, 1_000_000_000)
    try:
        local = datetime.fromtimestamp(seconds, UTC).astimezone(zone)
    except (OverflowError, ValueError):
        return time_text(ns)
    minutes, rest = divmod(round((local.utcoffset() or timedelta()).total_seconds()), 60)
    if rest or not minutes:
        return time_text(ns)
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    sign = "+" if minutes > 0 else "-"
    return f"{local.isoformat()[:19]}{digits}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


@lru_cache(maxsize=4096)
def _second_of(text: str) -> int:
    """Seconds since 1970 of `YYYY-MM-DDTHH:MM:SS` in UTC. Go's year 0 counts as 1."""
    if _SECOND.fullmatch(text) is None or not text.isascii():
        raise RepositoryDamaged(f"not a time: {text!r}")
    try:
        moment = datetime.fromisoformat(f"0001{text[4:]}" if text.startswith("0000") else text)
    except ValueError as error:
        raise RepositoryDamaged(f"not a time: {text!r}") from error
    return timegm(moment.timetuple())


def time_ns(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time; raises `RepositoryDamaged`."""
    seconds = _second_of(text[:19])
    # Nearly all are in UTC, with nine digits or none: three of them for each path of a restore.
    fraction = text[20:-1]
    if len(text) == 30 and text[19] == "." and text[29] == "Z" and fraction.isdecimal() and fraction.isascii():
        return seconds * 1_000_000_000 + int(fraction)
    rest = text[19:]
    if rest == "Z":
        return seconds * 1_000_000_000
    if rest[:1] == "." and rest[-1:] == "Z" and len(fraction) <= 9 and fraction.isdecimal() and fraction.isascii():
        return seconds * 1_000_000_000 + int(fraction.ljust(9, "0"))
    match = _REST.fullmatch(rest)
    if match is None or not rest.isascii():
        raise RepositoryDamaged(f"not a time: {text!r}")
    fraction, sign, hours, minutes = match.groups()
    if sign:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds -= offset if sign == "+" else -offset
    return seconds * 1_000_000_000 + (int(fraction.ljust(9, "0")) if fraction else 0)
