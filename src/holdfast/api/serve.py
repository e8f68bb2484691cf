"""The Master with this API in front of it."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.api.app import create_app
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.ready_types import make_types_ready
from holdfast.master import server
from holdfast.master.config import MasterConfig


def run_master(config: MasterConfig, *, clock: Clock, entropy: Entropy, on_ready: Callable[[server.Ports], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; blocks. `on_ready` is called once when it answers.

    Raises `UsageError` when there is no Master in `config.home`, `Conflict` on a taken port.
    """
    make_types_ready()
    server.run(config, create_app, clock=clock, entropy=entropy, on_ready=on_ready)
