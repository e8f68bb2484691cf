"""Looking at all that a folder holds, in one go."""

from __future__ import annotations

import os

from holdfast.host.tree_writer.faults import Typed
from holdfast.host.tree_writer.writer import TreeWriter


def listing(writer: TreeWriter, path: bytes) -> list[tuple[bytes, os.stat_result]]:
    """Names in a folder, sorted, each with what stands there, links not followed; what goes away meanwhile is left out.

    Raises `Conflict` where it is no folder, `StoreError` where it cannot be read.
    """
    found = []
    with Typed(path, writer.root):
        fd = writer.open_file(path)
        try:
            with os.scandir(fd) as names:
                for item in names:
                    try:
                        found.append((os.fsencode(item.name), item.stat(follow_symlinks=False)))
                    except FileNotFoundError:
                        continue
        finally:
            os.close(fd)
    return sorted(found, key=lambda pair: pair[0])
