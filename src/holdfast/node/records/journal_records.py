"""Records of the journal as they are kept: read as far as they can be, and made short for a message that has no room for them. Pure."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from holdfast.core.errors import ErrorFacts
from holdfast.model.decoding import UNREADABLE
from holdfast.model.jobs import Event, Job

_logger = logging.getLogger(__name__)
_SHORT = 2_000

T = TypeVar("T")


def readable(kind: type[T], bodies: Iterable[bytes]) -> Iterator[T]:
    """What can be read of them. One that cannot must not keep the agent from starting, nor the other reports from the Master."""
    for body in bodies:
        try:
            yield msgspec.json.decode(body, type=kind)
        except (TypeError, *UNREADABLE) as error:
            _logger.warning("a record of the journal cannot be read", extra={"facts": {"kind": kind.__name__, "error": str(error)}})


def size_bytes(body: object) -> int:
    """A row of a damaged file may hold anything."""
    return len(body) if isinstance(body, bytes | str) else 0


def shortened(kind: type[Job] | type[Event], body: bytes) -> bytes:
    """What it is, of whom, when and how it ended stays; the node itself still has all of a job."""
    for record in readable(kind, [body]):
        if isinstance(record, Event):
            record = msgspec.structs.replace(record, message=_beginning(record.message), facts={})
        else:
            error = record.error
            if error is not None:
                error = ErrorFacts(error.code, _beginning(error.message), _beginning(error.hint), error.retryable)
            record = msgspec.structs.replace(record, error=error, tasks=(), findings=(), report=None, datasets=(), wait=None)
        return msgspec.json.encode(record)
    return b""


def _beginning(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]} ..."
