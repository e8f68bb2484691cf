"""What the agent shows of the recall mount, and what it needs around it: HOME lets users pass, and nothing else of it is open to them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from holdfast.core.units import format_size
from holdfast.model.jobs import Finding, Severity
from holdfast.node.workers.messages import RecallNews

_PASS = stat.S_IXGRP | stat.S_IXOTH


class RecalledHere:
    def __init__(self) -> None:
        self._news: RecallNews | None = None

    def heard(self, news: RecallNews) -> None:
        self._news = news

    @property
    def findings(self) -> tuple[Finding, ...]:
        news = self._news
        if news is None or not (news.files or news.refused):
            return ()
        read = f"{news.files:,} archived file{'' if news.files == 1 else 's'} ({format_size(news.size_bytes)})"
        found = [Finding(code="archive-reads", severity=Severity.INFO, message=f"{read} opened through stubs since the node started")]
        if news.refused:
            text = f"{news.refused:,} times an archived file was refused, over the limit of `recall` in limits.toml"
            hint = "see who reads so many with `holdfast logs`"
            found.append(Finding(code="recall-refused", severity=Severity.WARNING, message=text, hint=hint))
        return tuple(found)


def let_pass(home: Path) -> None:
    """Users may pass through HOME, not list it: what a stub names lies below, and is read by those whom its own mode lets. Only of root's
    node: in a user's home that user is the only one."""
    mode = stat.S_IMODE(os.stat(home).st_mode)
    if os.geteuid() == 0 and mode & _PASS != _PASS:
        os.chmod(home, mode | _PASS)
