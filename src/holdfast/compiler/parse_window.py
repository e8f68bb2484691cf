"""Parses a mover's `window`: a text or a list of texts when it is open at certain times, a mapping when rates belong to them, too."""

from __future__ import annotations

from holdfast.compiler.fields import Fields
from holdfast.compiler.parse_places import window_problem, zone_of
from holdfast.compiler.yaml_tree import Mapping, Scalar
from holdfast.model.rate_table import CLOSED, RateLine, RateTable

_MOST_LINES = 200
_WORDS = ("zone", "otherwise")


def parse_mover_window(fields: Fields) -> RateTable | None:
    """None = always open, or what is written cannot be read (then that is noted)."""
    if "window" not in fields:
        return None
    if isinstance(fields.get("window"), Mapping):
        return _table(fields.child("window", None))
    lines = tuple(RateLine(window=text) for text in _open_windows(fields))
    return RateTable(lines=lines) if lines else None


def _open_windows(fields: Fields) -> tuple[str, ...]:
    """One window as a text, or several as a list."""
    if not isinstance(fields.get("window"), Scalar):
        if fields.is_empty_list("window"):
            fields.bad("bad-value", "window", "the mover is never open", "leave `window` out, or name a time")
        return fields.texts("window", window_problem)
    window = fields.text("window")
    if window and (problem := window_problem(window)) is not None:
        fields.bad(problem[0], "window", problem[1], problem[2])
        return ()
    return (window,) if window else ()


def _table(fields: Fields) -> RateTable | None:
    windows = [key for key in fields.keys() if key not in _WORDS]  # noqa: SIM118 - Fields is no mapping
    if len(windows) > _MOST_LINES:
        fields.bad("bad-value", windows[_MOST_LINES], f"more than {_MOST_LINES} windows", "join those that have the same rate")
        return None
    lines = []
    for window in windows:
        if (problem := window_problem(window)) is not None:
            fields.bad(problem[0], window, problem[1], f"{problem[2]}; beside windows there are `zone` and `otherwise`")
        else:
            lines.append(RateLine(window=window, rate_bytes_s=_rate_bytes_s(fields, window)))
    if "otherwise" not in fields:
        fields.bad("missing-key", "otherwise", "`otherwise` is missing", "say what holds at all other times: `otherwise: full` or `closed`")
        return None
    table = RateTable(lines=tuple(lines), otherwise_bytes_s=_rate_bytes_s(fields, "otherwise"), zone=zone_of(fields))
    if all(rate == CLOSED for rate in (table.otherwise_bytes_s, *(line.rate_bytes_s for line in lines))):
        fields.bad("bad-value", "otherwise", "the mover is never open", "give a time `full` or a rate, or leave the mover out")
        return None
    return table


def _rate_bytes_s(fields: Fields, key: str) -> int | None:
    text = fields.text(key)
    if text in ("full", "closed", ""):
        return CLOSED if text == "closed" else None
    rate = fields.rate_bytes_s(key)
    if rate == 0:
        fields.bad("bad-rate", key, "nothing passes at a rate of nothing", "write `closed`")
    return rate
