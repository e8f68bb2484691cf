"""Randomness, injected. `os.urandom` and `secrets` are banned by lint everywhere else."""

from __future__ import annotations

import os
from typing import Protocol


class Entropy(Protocol):
    def token_bytes(self, size: int) -> bytes:
        """`size` bytes fit for keys."""
        ...


class SystemEntropy:
    def token_bytes(self, size: int) -> bytes:
        return os.urandom(size)
