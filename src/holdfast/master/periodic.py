"""What the Master does again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger


async def repeat(look: Callable[[], Awaitable[object]], every_s: float, logger: Logger, failed: str, *, first_s: float = 0.0) -> None:
    """Until cancelled. Whatever one look came to, the next is due: `failed` is what the log says of it."""
    await asyncio.sleep(first_s)
    while True:
        try:
            await look()
        except Exception:
            logger.exception(failed)
        await asyncio.sleep(every_s)
