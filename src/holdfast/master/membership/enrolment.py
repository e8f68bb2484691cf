"""How a machine becomes a node, is let in where that was held back, renews its certificate, and stops being one."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from holdfast.core.errors import HoldfastError, JoinRefused, NotAuthenticated, Refused, UsageError
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.hub.issuing import CERTIFICATE_LIFETIME_S
from holdfast.master.membership import roster
from holdfast.master.membership.join_tokens import NAME, TOKEN_PREFIX
from holdfast.master.membership.proofs import check_certificate, check_holder
from holdfast.master.news import Subject
from holdfast.master.people.access import secret_hash
from holdfast.master.records import access, happenings, inventory
from holdfast.master.records.access import JoinToken
from holdfast.master.records.inventory import Node
from holdfast.model.jobs import Event, Severity
from holdfast.wire.authority import MASTER_NAME
from holdfast.wire.identity import certificate_of, key_id_of, key_id_of_csr, node_id_of

_NEW_TOKEN = "have an administrator make a new token"


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`replace`: take over the identity of a dead machine of this name."""

    token: str
    name: str
    csr_pem: str
    replace: bool = False


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a node needs to know of its Master. `signing_key` is the raw Ed25519 key. `waiting`: it must be authorised yet."""

    certificate_pem: str
    ca_pem: str
    node_id: NodeId
    name: str
    environment_id: EnvironmentId
    environment: str
    signing_key: bytes
    hub_address: str
    master_name: str
    waiting: bool


class RenewRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`signature`: ECDSA with SHA-256 over the bytes of `csr_pem`, by the key of `certificate_pem`. The key stays the same."""

    certificate_pem: str
    csr_pem: str
    signature: bytes


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    certificate_pem: str
    ca_pem: str


class _Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    """`old_key`: the id of the key that was revoked by this, if any."""

    node: NodeId
    certificate: bytes
    old_key: str
    waiting: bool


class Enrolment:
    def __init__(self, base: Foundation, hub: Hub) -> None:
        self._base = base
        self._hub = hub

    async def join(self, request: JoinRequest, hub_address: str) -> Joined:
        """Raises `JoinRefused`, each cause with words of its own. A token that was refused for another reason is not used up."""
        if not NAME.fullmatch(request.name):
            raise UsageError(f"{request.name!r} cannot be a node's name", hint="letters, digits, `.`, `_` and `-`, at most 63")
        secret = self._secret(request.token)
        made = await self._base.database.run(lambda s: self._enrol(s, request, secret))
        if made.old_key:
            why = Refused("another machine has taken this node's place", hint="join this machine under another name")
            await self._hub.bar(made.old_key, made.node, why)
        if not made.waiting:
            self._hub.moved.set()
        self._base.news.tell(Subject("node", made.node), Subject("environment"), Subject("log"))
        return Joined(
            certificate_pem=made.certificate.decode(),
            ca_pem=self._base.authority.ca_pem.decode(),
            node_id=made.node,
            name=request.name,
            environment_id=self._base.environment.id,
            environment=self._base.environment.name,
            signing_key=self._base.authority.signing_public,
            hub_address=hub_address,
            master_name=MASTER_NAME,
            waiting=made.waiting,
        )

    async def authorise(self, name_or_id: str) -> Node:
        """Let a waiting node in; it need not do anything. One that is in already stays so. Raises `UnknownName`, `Refused` when revoked."""

        def let_in(session: Session) -> Node:
            node = inventory.named_node(session, name_or_id)
            if node.state == inventory.REVOKED:
                raise Refused("this node was revoked", hint="join it again with a new token and --replace", node=node.name)
            if node.state == inventory.WAITING:
                inventory.set_state(session, node.id, inventory.JOINED)
                roster.enter(session, node.name, self._base.now())
            return node

        node = await self._base.database.run(let_in)
        if node.state == inventory.WAITING:
            self._hub.decided(node.id)
            self._hub.moved.set()
            self._base.news.tell(Subject("node", node.id), Subject("environment"))
        return node

    async def renew(self, request: RenewRequest) -> Renewed:
        """A fresh certificate for the key a node already has. Raises `NotAuthenticated` or `Refused`."""
        old, csr = request.certificate_pem.encode(), request.csr_pem.encode()
        check_certificate(old, self._base.authority.ca_pem, self._base.now())
        check_holder(old, csr, request.signature)
        if key_id_of_csr(csr) != key_id_of(old):
            raise Refused("a renewed certificate keeps its key", hint="for a new key, join again with --replace")
        certificate = await self._base.database.run(lambda s: self._renew(s, node_id_of(old), key_id_of(old), request))
        return Renewed(certificate_pem=certificate.decode(), ca_pem=self._base.authority.ca_pem.decode())

    async def revoke(self, name_or_id: str, by: str) -> Node:
        """This node's key is refused from now on, its session ends, and the others' rules do without it. Its stored data stays."""

        def strike(session: Session) -> Node:
            node = inventory.named_node(session, name_or_id)
            inventory.revoke_key(session, node.id, self._base.now(), "revoked")
            inventory.set_state(session, node.id, inventory.REVOKED)
            words = f"{node.name} was revoked by {by}: its key opens nothing from now on, what it stores stays with it"
            self._event("node-revoked", words, session, node.id)
            return node

        node = await self._base.database.run(strike)
        why = Refused("this node was revoked", hint="join it again with a new token and --replace")
        await self._hub.bar(node.key_id, node.id, why)
        self._hub.decided(node.id)
        self._hub.moved.set()
        self._base.news.tell(Subject("node", node.id), Subject("log"))
        return node

    def _event(self, code: str, message: str, session: Session, node: NodeId) -> None:
        event = Event(code=code, severity=Severity.WARNING, message=message, node=node, time=self._base.now())
        happenings.record_own_events(session, node, (event,))

    def _secret(self, token: str) -> str:
        parts = token.strip().split(".")
        if len(parts) != 3 or parts[0] != TOKEN_PREFIX:
            raise JoinRefused("this is not a join token", hint="it looks like hf1.….…; copy all of it")
        if parts[2] != self._base.authority.fingerprint:
            raise JoinRefused("this token is from another Master: the CA is not ours", hint="check the Master's URL")
        return parts[1]

    def _enrol(self, session: Session, request: JoinRequest, secret: str) -> _Enrolled:
        now = self._base.now()
        token = _usable(access.join_token(session, secret_hash(secret)), request, now)
        known = inventory.node_by_name(session, request.name)
        if known is not None:
            _check_replace(token, request)
        node = NodeId(self._base.new_id()) if known is None else known.id
        certificate, key_id, serial = self._certify(request.csr_pem, node)
        if key_id in inventory.revoked_keys(session):
            raise JoinRefused("this key was revoked", hint="let the node make a new key: remove its identity folder and join again")
        old_key = ""
        if known is None:
            state = inventory.WAITING if token.hold else inventory.JOINED
            inventory.add_node(session, inventory.new_node(node, request.name, key_id, state), serial=serial, at=now)
        else:
            if known.key_id != key_id:
                inventory.revoke_key(session, node, now, inventory.REPLACED)
                words = f"another machine took the place of {request.name}; the key before opens nothing from now on"
                self._event("node-replaced", words, session, node)
                old_key = known.key_id
            inventory.set_key(session, node, key_id, serial)
            inventory.forget_rules_in_force(session, node)
        access.use_join_token(session, token.hash, now)
        if not token.hold:
            roster.enter(session, request.name, now)
        return _Enrolled(node=node, certificate=certificate, old_key=old_key, waiting=token.hold)

    def _renew(self, session: Session, node_id: NodeId, key_id: str, request: RenewRequest) -> bytes:
        node = inventory.node_by_id(session, node_id)
        if node is None or node.key_id != key_id or node.state != inventory.JOINED:
            raise NotAuthenticated("this key is no node's any more", hint="join again with a new token and --replace")
        certificate, _, serial = self._certify(request.csr_pem, node_id)
        inventory.set_key(session, node_id, key_id, serial)
        return certificate

    def _certify(self, csr_pem: str, node: NodeId) -> tuple[bytes, str, str]:
        """Certificate, key id, serial number in hex."""
        try:
            certificate = self._base.authority.issue(csr_pem.encode(), node, clock=self._base.clock, lifetime_s=CERTIFICATE_LIFETIME_S)
        except HoldfastError as error:
            raise JoinRefused(error.message, hint=error.hint) from error
        return certificate, key_id_of(certificate), f"{certificate_of(certificate).serial_number:x}"


def _usable(token: JoinToken | None, request: JoinRequest, now: datetime) -> JoinToken:
    if token is None:
        raise JoinRefused("this join token is not known here", hint=_NEW_TOKEN)
    if token.used_at is not None:
        raise JoinRefused("this join token was used already", hint=f"a token works once; {_NEW_TOKEN}")
    if token.expires_at <= now:
        raise JoinRefused("this join token has expired", hint=_NEW_TOKEN)
    if token.name and token.name != request.name:
        raise JoinRefused(f"this join token is for {token.name!r}, not {request.name!r}", hint=f"join as {token.name!r}")
    return token


def _check_replace(token: JoinToken, request: JoinRequest) -> None:
    if not request.replace:
        hint = "choose another name, or take over the old machine's identity with --replace"
        raise JoinRefused(f"a node {request.name!r} has joined already", hint=hint)
    if not token.replace:
        raise JoinRefused("this join token does not allow replacing a node", hint="have an administrator make one that does")
