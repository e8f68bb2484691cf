"""What is in no flow: nodes, policies, folders. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

SYSTEM_FOLDERS = frozenset(
    {
        "/bin",
        "/boot",
        "/dev",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/lost+found",
        "/media",
        "/mnt",
        "/proc",
        "/run",
        "/sbin",
        "/sys",
        "/tmp",
    }
    | {"/usr"}
)
"""What a machine gets back by being set up again, or what holds nothing of its own."""


class FolderCover(msgspec.Struct, frozen=True, kw_only=True):
    """`protected`: yes, in part (something below it) or no."""

    folder: str
    protected: str


def folder_cover(folders: Iterable[str], protected: Iterable[str]) -> tuple[FolderCover, ...]:
    """Of the folders that a machine shows, but those of the system. `protected`: paths of classifications."""
    paths = [path.rstrip("/") or "/" for path in protected]
    found = []
    for folder in sorted(set(folders) - SYSTEM_FOLDERS):
        if any(path in ("/", folder) or folder.startswith(f"{path}/") for path in paths):
            found.append(FolderCover(folder=folder, protected="yes"))
        elif any(path.startswith(f"{folder}/") for path in paths):
            found.append(FolderCover(folder=folder, protected="in part"))
        else:
            found.append(FolderCover(folder=folder, protected="no"))
    return tuple(found)
