"""Why something stands still, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.cli.output import local_time, one_line


def wait_words(wait: Mapping[str, Any]) -> str:
    """As the API gives a wait, of one promise or of a whole mover."""
    what, since, until = str(wait.get("what") or ""), wait.get("since"), wait.get("until")
    why = str(wait.get("why") or "")
    begun = f" since {local_time(since)}" if since else ""
    ends = f" until {local_time(until)}" if until else ""
    job = f" (job {str(wait['job'])[:8]})" if wait.get("job") else ""
    words = {
        "window": f"waits for its window{ends or ', which does not open'}",
        "receiver": f"{what or 'the receiver'} is away{begun}",
        "not-called": f"waits{begun} for {what or 'the receiver'} to call (`dial: to`)",
        "job": f"waits for another job to end: {what}{job}",
        "paused": f"repository {what} is paused{ends or begun}",
        "low-disk": "waits for room on the disk of the node's home",
        "limit": f"waits for a place at {what}{f': {why}' if why else ''}{job}",
        "upstream": _upstream(wait, what),
    }
    return one_line(words.get(str(wait["reason"]), str(wait["reason"])))


def _upstream(wait: Mapping[str, Any], what: str) -> str:
    """What comes first has not succeeded, since when, and why."""
    since = f"; the last good is of {local_time(wait['since'])}" if wait.get("since") else ""
    why = f" ({wait['why']})" if wait.get("why") else ""
    return f"waits for {what}{why}{since}" if what else "waits for a first point to come here"
