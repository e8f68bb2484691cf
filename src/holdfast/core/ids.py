"""Identities: 128 random bits as 32 lower hex digits. A name can change; an id cannot."""

from __future__ import annotations

import re
from typing import NewType

from holdfast.core.entropy import Entropy

EnvironmentId = NewType("EnvironmentId", str)
NodeId = NewType("NodeId", str)
DatasetId = NewType("DatasetId", str)
RepositoryId = NewType("RepositoryId", str)
PointId = NewType("PointId", str)
ActionId = NewType("ActionId", str)
JobId = NewType("JobId", str)
Epoch = NewType("Epoch", str)

_ID = re.compile(r"[0-9a-f]{32}")


def new_id(entropy: Entropy) -> str:
    return entropy.token_bytes(16).hex()


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
