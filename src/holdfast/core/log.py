"""Structured logging on the standard library: one JSON object a line, in UTC.

Log with `logger.info("words", extra={"facts": {...}})`. File contents, keys, passwords and tokens are never logged.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import TextIO

from holdfast.core.errors import is_no_space
from holdfast.core.private_files import open_to_append


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "message", "session", ...facts}`; an exception becomes `error`. `session` comes once it is known."""

    session = ""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if self.session:
            line["session"] = self.session
        line.update(getattr(record, "facts", {}))
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


class LineByLine(logging.StreamHandler[TextIO]):
    """A line for which the disk has no room is let go; any other fault of the log is shown, as the standard library does."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 the standard library's name
        error = sys.exc_info()[1]
        if not (isinstance(error, OSError) and is_no_space(error)):
            super().handleError(record)


def call_session(session: str) -> None:
    """All lines of this process are of that session (`core.log_session`) from now on."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, JsonFormatter):
            handler.formatter.session = session


def configure_logging(path: Path | None, session: str = "") -> None:
    """Log to `path` (appended, 0600) or to standard error. Called once, by a process's composition root."""
    import time

    formatter = JsonFormatter()
    formatter.session = session
    formatter.converter = time.gmtime
    stream: TextIO = sys.stderr if path is None else os.fdopen(open_to_append(path), "a", encoding="utf-8", buffering=1)
    handler = LineByLine(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
