"""How a machine becomes a node, renews its certificate, and stops being one.

A join token is `hf1.<base32 secret>.<SHA-256 of the CA certificate in hex>`: the secret for us, the fingerprint so that the node knows us
before it says anything secret. It works once and not for ever; the records hold its hash only.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.errors import JoinRefused, NotAuthenticated, Refused, UsageError
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.master import roster
from holdfast.master.access import new_secret, secret_hash
from holdfast.master.foundation import Foundation
from holdfast.master.hub import Hub
from holdfast.master.records import access, inventory
from holdfast.master.records.access import JoinToken
from holdfast.master.records.inventory import Node
from holdfast.wire.identity import certificate_of, key_id_of, key_id_of_csr, node_id_of
from holdfast.wire.proofs import is_issued_by, is_signed_by_holder

CERTIFICATE_LIFETIME_S = 90 * 86_400.0
LONGEST_TOKEN_S = 30 * 86_400.0
TOKEN_PREFIX = "hf1"
_NEW_TOKEN = "make a new one with `holdfast node token`"


class NewJoinToken(msgspec.Struct, frozen=True, kw_only=True):
    """The only time the token is seen."""

    token: str
    expires_at: datetime


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`hosts` are names and addresses other nodes reach this one by; they go into its certificate."""

    token: str
    name: str
    csr_pem: str
    replace: bool = False
    address: str = ""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a node needs to know of its Master. `signing_key` is the raw Ed25519 key, in base64 where this is JSON."""

    certificate_pem: str
    ca_pem: str
    node_id: NodeId
    name: str
    environment_id: EnvironmentId
    environment: str
    signing_key: bytes
    hub_address: str
    master_name: str


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    certificate_pem: str
    ca_pem: str
