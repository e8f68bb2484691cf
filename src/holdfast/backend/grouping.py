"""An ability some backends have: many files made durable with one wait instead of one each."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from holdfast.backend.backend import FileType


@runtime_checkable
class GroupedSaves(Protocol):
    """`save_later` takes a file; no reader sees any of it before `settle`, which returns when all taken so far are whole and durable.

    Files of a process that dies between the two are strays that no listing shows; `remove_strays` deletes them and is for the
    owner alone, when it opens the place. Errors as in `Backend`; after an error of `settle` the files concerned are dropped.
    Users that find this ability missing call `save`.
    """

    def save_later(self, kind: FileType, name: str, data: bytes) -> None: ...

    def settle(self, kind: FileType, names: tuple[str, ...]) -> None:
        """Make these files, taken by `save_later`, visible and durable."""
        ...

    def forget(self, kind: FileType, names: tuple[str, ...]) -> None:
        """Drop files that were taken and not settled. Never raises."""
        ...

    def remove_strays(self) -> None: ...
