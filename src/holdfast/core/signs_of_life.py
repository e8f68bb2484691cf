"""Whether somebody who is connected still answers: who says nothing is asked for a sign of life, and is silent while none comes.

A connection that stands says little: a program may live, hold it open, and do nothing more, on a disk that stands still for example.
"""

from __future__ import annotations


class SignsOfLife:
    """Of one peer. Time is counted in looks, which whoever watches makes at equal distances: who stood still itself has looked once
    meanwhile, and takes nobody for silent before it has heard what came. A peer is to be asked after `quiet_looks` without a word, and
    silent after `patience_looks` more."""

    def __init__(self, quiet_looks: int, patience_looks: int) -> None:
        self.quiet = 0
        self._quiet_looks = quiet_looks
        self._patience_looks = patience_looks
        self._unanswered: int | None = None

    @property
    def is_silent(self) -> bool:
        return self._unanswered is not None and self._unanswered >= self._patience_looks

    @property
    def wants_asking(self) -> bool:
        return self._unanswered is None and self.quiet > self._quiet_looks

    def look(self) -> bool:
        """One more look. Whether the peer is silent from now on."""
        self.quiet += 1
        if self._unanswered is None:
            return False
        self._unanswered += 1
        return self._unanswered == self._patience_looks

    def asked(self) -> None:
        self._unanswered = 0

    def heard(self) -> bool:
        """It has said something. Whether it was silent before."""
        was_silent = self.is_silent
        self.quiet, self._unanswered = 0, None
        return was_silent
