"""The one table from errors to exit codes. 10 to 12 are restic's own for the same facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OK = 0
FAILED = 1
USAGE = 2
WARNINGS = 3
NOT_REACHABLE = 4
REFUSED = 5
INTERRUPTED = 130

_BY_CODE = {
    "usage": USAGE,
    "invalid-document": USAGE,
    "unknown-name": USAGE,
    "not-reachable": NOT_REACHABLE,
    "receiver-busy": NOT_REACHABLE,
    "refused": REFUSED,
    "not-authenticated": REFUSED,
    "not-granted": REFUSED,
    "outside-limits": REFUSED,
    "limits-refused": REFUSED,
    "join-refused": REFUSED,
    "not-authorised": REFUSED,
    "stale-rules": REFUSED,
    "approval-wanted": REFUSED,
    "throttled": REFUSED,
    "conflict": REFUSED,
    "not-adopted": REFUSED,
    "store-denied": REFUSED,
    "repository-missing": 10,
    "repository-locked": 11,
    "repository-paused": 11,
    "repository-moved": 11,
    "wrong-password": 12,
    "cancelled": INTERRUPTED,
}

_BY_STATE = {"succeeded": OK, "warnings": WARNINGS, "cancelled": INTERRUPTED}

CODES = frozenset(_BY_CODE)
"""Error codes that have an exit code of their own."""


def exit_code_of(code: str) -> int:
    """Exit code of an error code; unknown codes fail with 1."""
    return _BY_CODE.get(code, FAILED)


def exit_code_of_job(job: Mapping[str, Any]) -> int:
    """Exit code of a job that was waited for; a failed one says by its error why."""
    error = job.get("error")
    return exit_code_of(error["code"]) if job["state"] == "failed" and error else exit_code_of_state(job["state"])


def exit_code_of_state(state: str) -> int:
    """Exit code of the state a job or trigger ended in."""
    return _BY_STATE.get(state, FAILED)
