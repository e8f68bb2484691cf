"""What commands print: one JSON value, or tables and sentences. Progress goes to standard error, and only to a terminal."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

from holdfast.cli.fitting import fitted_widths, lines_of
from holdfast.cli.local_times import in_local_time
from holdfast.core.errors import ErrorFacts

# JSON escapes the controls of ASCII; these steer terminals too, or are half characters that cannot be written at all.
_STEERING = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def print_json(value: object) -> None:
    """One JSON value on standard output and nothing else."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write(_STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def harmless(text: str, *, keep: str = "\n") -> str:
    """The text with everything that is not for reading as `\\xNN` or `\\uNNNN`: names of files, users and machines come from outside, and
    an escape sequence in one could rewrite the screen or the terminal's settings. `keep` are controls that may stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii") for c in text)


def one_line(text: str) -> str:
    """As `harmless`, for words from outside that must not look like lines of ours."""
    return harmless(text, keep="")


def say(text: str = "") -> None:
    sys.stdout.write(harmless(text) + "\n")


def note(text: str) -> None:
    """A remark beside the result, on standard error; times in it are local."""
    sys.stderr.write(harmless(in_local_time(text)) + "\n")


def note_to_a_person(text: str) -> None:
    """A remark for who watches a terminal; nothing in a pipe, a log or a unit."""
    if sys.stderr.isatty():
        note(text)


def print_error(facts: ErrorFacts) -> None:
    note(f"holdfast: {facts.message} [{facts.code}]")
    if facts.hint:
        note(f"  hint: {facts.hint}")


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]], right: frozenset[int] = frozenset()) -> None:
    """Columns as wide as they need to be, the last one unpadded; column numbers in `right` are aligned to the right. Where a terminal is
    not as wide, long cells have several lines; in a pipe each row has one."""
    texts = [[one_line(str(cell)) for cell in row] for row in (heads, *rows)]
    widths = fitted_widths(texts, _width(), right)
    for row in texts:
        cells = [lines_of(cell, widths[i]) for i, cell in enumerate(row)]
        for parts in zip_longest(*cells, fillvalue=""):
            line = [part.rjust(widths[i]) if i in right else part.ljust(widths[i]) for i, part in enumerate(parts)]
            say("  ".join(line).rstrip())


def _width() -> int:
    """Of the terminal; of what goes elsewhere there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def local_time(iso: str | None) -> str:
    """An API time for people: local, to the second; a dash for none."""
    if not iso:
        return "-"
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def age(iso: str | None, now: datetime) -> str:
    from holdfast.core.units import format_duration

    if not iso:
        return "never"
    passed_s = (now - datetime.fromisoformat(iso).astimezone(UTC)).total_seconds()
    return "just now" if passed_s < 1 else f"{format_duration(float(int(passed_s))).replace('.0s', 's')} ago"


def print_diagnostics(diagnostics: Sequence[dict[str, Any]]) -> None:
    """One line each: level, code, place, words; the hint below."""
    for diagnostic in diagnostics:
        where = diagnostic.get("where", {})
        line = f"line {where['line']}" if where.get("line") else ""
        place = ", ".join(part for part in (where.get("path", ""), line) if part)
        note(f"{diagnostic['level']}: {diagnostic['message']} [{diagnostic['code']}]" + (f" at {place}" if place else ""))
        if diagnostic.get("hint"):
            note(f"  hint: {diagnostic['hint']}")


class ProgressLine:
    """A single line on a terminal that is written over; silent in a pipe."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._shown = ""

    def show(self, text: str) -> None:
        if self._on and text != self._shown:
            sys.stderr.write("\r\x1b[K" + one_line(text))
            sys.stderr.flush()
            self._shown = text

    def clear(self) -> None:
        if self._on and self._shown:
            sys.stderr.write("\r\x1b[K")
            self._shown = ""
