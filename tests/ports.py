"""Ports for `holdfast up`, which takes four in a row."""

from __future__ import annotations

import secrets

from holdfast.cli.processes import is_port_free

_IN_A_ROW = 4
_FIRST, _LAST = 20_000, 32_000
"""Below those that the kernel gives to whoever dials, so that none is taken between the look and the use."""


def first_of_a_row() -> int:
    """Nobody listens on this one and the next three."""
    while True:
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if all(is_port_free("127.0.0.1", port + more) for more in range(_IN_A_ROW)):
            return port
