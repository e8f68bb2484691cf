"""An ability some backends have: files that the store itself refuses to delete or change before a time, whoever asks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, runtime_checkable

from holdfast.backend.backend import FileType

# A file of the repository: its kind, and its name as `Backend.names` gives it.
FileName = tuple[FileType, str]


@runtime_checkable
class ObjectLock(Protocol):
    """Retention of single files, in compliance mode: not even the account's administrator can take it back.

    A caller asks `locks_files` first. Where it says no, nothing outside the owner protects a locked point, and that is worth a finding.
    """

    def locks_files(self) -> bool:
        """Whether this place enforces retention, as found when it was probed. May ask the store once; raises `NotReachable`."""
        ...

    def extend_retention(self, files: Iterable[FileName], until: datetime) -> None:
        """Each file is kept at least until then (an aware time). A retention that already reaches further is left, never shortened.

        Calling it again with the same files is cheap: what is known to reach far enough is not asked for again by this process. All files
        are tried; then the first error is raised, and the next call goes on with those that are left. Raises `RepositoryMissing` when a
        file is not there, `NotReachable`, `Refused` when the place has no object lock or the account has no right to set retention.
        """
        ...
