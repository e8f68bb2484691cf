"""Cutting content into chunks by FastCDC (Xia et al., 2020), by the compiled part of `pyfastcdc`.

Two granularities: coarse 512 KiB / 1 MiB / 8 MiB and fine 16 / 64 / 256 KiB (least, average, most). Content up to the least size is one
chunk, no content is none. Cut points are a format: changing them makes every receiver store everything again, so a golden test pins them.

`auto` is coarse for every file that is new. Fine chunks cost a repository sixteen times the index entries, for files that are mostly never
edited in place; who has such files says `fine`. It is sticky: a file whose recorded chunks are fine stays fine under `auto`, so that a
changed policy or a rebuilt state does not send content again (docs of `choose`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pyfastcdc import FastCDC

from holdfast.core.errors import SourceError
from holdfast.model.entry import ChunkRef

Granularity = Literal["auto", "coarse", "fine"]


@dataclass(frozen=True)
class Cutter:
    """One granularity. Sizes in bytes. Safe to share: each call makes its own FastCDC, which costs 0.3 us."""

    least: int
    average: int
    most: int

    def cut(self, data: bytes | memoryview, final: bool) -> list[int]:
        """Ends of the chunks that are certain: all if `final`, else those that no byte after `data` could move."""
        size = len(data)
        if size == 0:
            return []
        if final and size <= self.least:
            return [size]
        ends: list[int] = []
        start = 0
        for chunk in FastCDC(self.average, min_size=self.least, max_size=self.most).cut_buf(data):
            # A cut looks at most `most` bytes ahead, so only a start with that much behind it is certain before the end is known.
            if not final and start + self.most > size:
                break
            start += chunk.length
            ends.append(start)
        return ends


COARSE = Cutter(512 * 1024, 1024 * 1024, 8 * 1024 * 1024)
FINE = Cutter(16 * 1024, 64 * 1024, 256 * 1024)


def choose(granularity: Granularity, recorded: Sequence[ChunkRef]) -> Cutter:
    """The cutter of a file: as the classification says; under `auto` as it was cut before, else coarse.

    Recorded chunks tell: coarse chunks but the last have at least 512 KiB, fine ones at most 256 KiB.
    """
    if granularity == "fine":
        return FINE
    if granularity == "auto" and len(recorded) > 1 and recorded[0].size_bytes <= FINE.most:
        return FINE
    return COARSE


def require_compiled() -> None:
    """Refuse pyfastcdc's pure Python path, which is some hundred times slower. Called when a capture is built."""
    if not FastCDC.__module__.startswith("pyfastcdc.cy"):
        raise SourceError(
            "pyfastcdc has no compiled part here",
            hint="install the pyfastcdc wheel of this platform (pip install --only-binary :all: pyfastcdc)",
        )
