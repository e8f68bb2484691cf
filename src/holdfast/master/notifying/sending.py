"""Handing a message to apprise (https://github.com/caronc/apprise), which speaks to the service. Blocks; runs on a thread."""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from holdfast.core.errors import NotReachable, UsageError
from holdfast.master.notifying.wording import Attachment, Message
from holdfast.model.jobs import Severity

if TYPE_CHECKING:
    import apprise

_LONGEST_REASON = 200


def check_address(url: str) -> None:
    """Raises `UsageError` for what apprise does not understand. The address is in no message."""
    if _apprise(url) is None:
        raise UsageError(
            "apprise does not understand this address", hint="docs/notifications.md has examples; https://appriseit.com/services/ lists all"
        )


def send(url: str, message: Message, attached: Attachment | None = None) -> None:
    """A service that takes no files gets the message alone.

    Raises `NotReachable` when the service does not take it, with what it said; secrets of the address are struck out."""
    sender = _apprise(url)
    if sender is None:
        raise NotReachable("apprise does not understand the address of this channel any more", hint="set it again")
    result = sender.notify(
        body=message.body, title=message.title, notify_type=_kind(message.severity), body_format="text", attach=_file(attached)
    )
    if not result:
        said = [entry.message for entry in result.logs() if entry.level != "DEBUG"]
        reason = without_parts(said[-1], url) if said else "no reason given"
        raise NotReachable(f"the service did not take it: {reason}", hint="`holdfast notify ls` shows what waits; it is tried again")


def without_parts(reason: str, url: str) -> str:
    """What was said, without anything that stands in the address behind the service."""
    _, _, rest = url.partition("://")
    parts = {part for raw in re.split(r"[/:@?&=,;]+", rest) for part in (raw, unquote(raw)) if len(part) >= 3}
    for part in sorted(parts, key=len, reverse=True):
        reason = re.sub(re.escape(part), "***", reason, flags=re.IGNORECASE)
    return reason[:_LONGEST_REASON]


def _apprise(url: str) -> apprise.Apprise | None:
    import apprise

    _quiet()
    asset = apprise.AppriseAsset(app_id="Holdfast", app_desc="Holdfast", app_url="", async_mode=False, secure_logging=True)
    made = apprise.Apprise(asset=asset)
    return made if made.add(url) and len(made) else None


@cache
def _quiet() -> None:
    """apprise, and what it sends with, write nothing into the Master's log."""
    logging.getLogger("apprise").propagate = False
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _file(attached: Attachment | None) -> object:
    from apprise.attachment.memory import AttachMemory

    return None if attached is None else AttachMemory(content=attached.content, name=attached.name, mimetype=attached.mime)  # type: ignore[no-untyped-call]


def _kind(severity: Severity | None) -> apprise.NotifyType:
    import apprise

    kinds = {
        Severity.INFO: apprise.NotifyType.INFO,
        Severity.WARNING: apprise.NotifyType.WARNING,
        Severity.ERROR: apprise.NotifyType.FAILURE,
    }
    return apprise.NotifyType.SUCCESS if severity is None else kinds[severity]
