"""Readers that give less than the one inside: only some paths, only names, only until a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from holdfast.core.errors import HoldfastError, NotGranted
from holdfast.model.change import Payload
from holdfast.model.entry import Entry, is_below
from holdfast.model.reading import Answer, Listed, PointReader

T = TypeVar("T")


class _Through(PointReader):
    def __init__(self, inner: PointReader) -> None:
        self._inner = inner

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        return self._inner.entries(paths)

    def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
        return self._inner.listing(paths)

    def children(self, folders: Sequence[bytes]) -> Iterator[Entry]:
        return self._inner.children(folders)

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        return self._inner.payloads(ids)

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        return self._inner.answers(questions)

    def close(self) -> None:
        self._inner.close()


class OnlyPaths(_Through):
    """A reader cut down to what an order names; empty = everything."""

    def __init__(self, inner: PointReader, paths: tuple[bytes, ...]) -> None:
        super().__init__(inner)
        self._paths = paths

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        return self._inner.entries(self._allowed(paths))

    def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
        return self._inner.listing(self._allowed(paths))

    def children(self, folders: Sequence[bytes]) -> Iterator[Entry]:
        """Of a folder above what the order names, the way there."""
        named = self._paths
        for entry in self._inner.children(folders):
            if not named or any(is_below(entry.path, path) or is_below(path, entry.path) for path in named):
                yield entry

    def _allowed(self, paths: Sequence[bytes]) -> Sequence[bytes]:
        if not self._paths:
            return paths
        for path in paths:
            if not any(is_below(path, allowed) for allowed in self._paths):
                raise NotGranted("the order does not name this path", hint="start the restore again with the paths you want")
        return paths or self._paths


class OnlyNames(_Through):
    """A reader that gives entries and no content."""

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        raise NotGranted(f"{len(ids)} chunks were asked for; a source reads back no content", hint="restore through the Master")

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        raise NotGranted("chunks were asked for; a source reads back no content", hint="restore through the Master")


class OnlyWhile(_Through):
    """A reader that gives nothing any more once `ended` says why not. It is asked before each thing that is given."""

    def __init__(self, inner: PointReader, ended: Callable[[], HoldfastError | None]) -> None:
        super().__init__(inner)
        self._ended = ended

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        return self._while(self._inner.entries(paths))

    def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
        return self._while(self._inner.listing(paths))

    def children(self, folders: Sequence[bytes]) -> Iterator[Entry]:
        return self._while(self._inner.children(folders))

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        return self._while(self._inner.payloads(ids))

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        return self._while(self._inner.answers(questions))

    def _while(self, given: Iterator[T]) -> Iterator[T]:
        while True:
            if (error := self._ended()) is not None:
                raise error
            try:
                one = next(given)
            except StopIteration:
                return
            yield one
