"""Credentials for tests: real keys and certificates of an authority made on the spot."""

from __future__ import annotations

from holdfast.core.clock import Clock, SystemClock
from holdfast.core.ids import NodeId
from holdfast.wire.authority import Authority
from holdfast.wire.identity import Credentials, make_csr, new_key


def credentials_for(authority: Authority, node: NodeId, *, clock: Clock | None = None, lifetime_s: float = 86_400.0) -> Credentials:
    """TLS compares with the machine's clock, so that is the default."""
    key = new_key()
    return Credentials(key, authority.issue(make_csr(key), node, clock=clock or SystemClock(), lifetime_s=lifetime_s), authority.ca_pem)
