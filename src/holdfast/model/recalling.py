"""Asking a node to put archived files back into the places of their stubs."""

from __future__ import annotations

import msgspec


class AskRecall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """`paths`: stubs, and with `recursive` folders with stubs below them; a job of its own. `dry_run`: only count."""

    paths: tuple[bytes, ...]
    recursive: bool = False
    dry_run: bool = False
    trigger: str = ""
