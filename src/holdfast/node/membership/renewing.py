"""Keeps the node's certificate from running out, for as long as its agent lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from holdfast.core.clock import Clock
from holdfast.core.errors import HoldfastError
from holdfast.model.jobs import Severity
from holdfast.node.config import load_config
from holdfast.node.membership.enrol import renew, renewal_due
from holdfast.wire.identity import load_credentials

logger = logging.getLogger(__name__)

_LOOK_S = 3600.0


async def keep_certificate(home: Path, record_event: Callable[..., None], *, clock: Clock) -> None:
    """For ever. `record_event` as the scheduler's. What fails, be it that the disk is full, is tried again an hour later."""
    while True:
        try:
            if renewal_due(load_credentials(home / "identity").cert_pem, clock):
                await asyncio.to_thread(renew, home, load_config(home))
                record_event("certificate-renewed", Severity.INFO, "this node's certificate was renewed")
        except (HoldfastError, OSError) as error:
            logger.warning("the certificate was not renewed", extra={"facts": {"reason": str(error)}})
        await asyncio.sleep(_LOOK_S)
