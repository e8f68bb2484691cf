"""How a machine becomes a node, and how it stays one.

The token is `hf1.<base32 secret>.<SHA-256 of the CA certificate, hex>`: whoever answers at the URL must first show the CA of that
fingerprint, and only over a connection verified by this CA the secret is sent. Blocking; the agent calls `renew` in a thread.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts, HoldfastError, JoinRefused, NotReachable, ProtocolError, UsageError, error_from
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.core.private_files import make_private_folder, sync_folder
from holdfast.model.decoding import UNREADABLE
from holdfast.node.config import DEFAULT_DATA_LISTEN, NodeConfig, config_path, is_joined, load_config, save_config
from holdfast.node.membership.rule_store import forget_rules, save_signing_key
from holdfast.wire.identity import (
    Credentials,
    certificate_of,
    expires_at,
    fingerprint_of,
    key_id_of,
    load_credentials,
    load_key,
    make_csr,
    new_key,
    save_credentials,
)

_TIMEOUT_S = 20.0
_TOKEN = re.compile(r"hf1\.([A-Za-z2-7]+=*)\.([0-9a-f]{64})")
_RENEW_AFTER = 2 / 3

A = TypeVar("A")


@dataclass(frozen=True, kw_only=True)
class JoinRequest:
    """`replace`: take over the identity of the dead machine `name`. `data_address` (`host:port`) is what other nodes dial."""

    url: str
    token: str
    name: str
    replace: bool = False
    data_listen: str = DEFAULT_DATA_LISTEN
    data_address: str = ""
    download_listen: str = ""
    download_host: str = ""


class _Authority(msgspec.Struct, frozen=True, kw_only=True):
    ca_pem: str
    hub_address: str = ""


class _Joined(msgspec.Struct, frozen=True, kw_only=True):
    certificate_pem: str
    ca_pem: str
    node_id: NodeId
    name: str = ""
    environment_id: EnvironmentId
    environment: str = ""
    signing_key: bytes
    hub_address: str
    master_name: str
    waiting: bool = False


class _Renewed(msgspec.Struct, frozen=True, kw_only=True):
    certificate_pem: str
    ca_pem: str


class _ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    code: str = "internal"
    message: str = ""
    hint: str = ""


class _ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    error: _ErrorBody


@dataclass(frozen=True, kw_only=True)
class Joined:
    """`fingerprint` is of this machine's key, as the Master shows it beside the node. `waiting`: somebody must authorise it there."""

    config: NodeConfig
    fingerprint: str
    waiting: bool


def join(home: Path, request: JoinRequest, *, clock: Clock, entropy: Entropy) -> Joined:
    """Enrol this home. Its key never leaves it. Raises `JoinRefused`, `NotReachable`, or `UsageError` for a token that is none.

    A machine that has joined before joins anew only with `replace`; its old rules are then forgotten.
    """
    del clock, entropy  # times are the Master's, and the key's randomness is the TLS library's own
    fingerprint = parse_join_token(request.token)
    if is_joined(home) and not request.replace:
        raise JoinRefused(f"{home} has joined an environment already", hint="use --replace NAME to join anew, or another home")
    ca_pem = _fetch_authority(request.url, fingerprint)
    key_pem = new_key()
    body = {
        "token": request.token.strip(),
        "name": request.name,
        "csr_pem": make_csr(key_pem, request.name).decode(),
        "replace": request.replace,
    }
    joined = _post(request.url, "/api/v1/join", body, ca_pem, _Joined)
    if fingerprint_of(joined.ca_pem.encode()) != fingerprint:
        raise JoinRefused("the Master answered with another CA than the token names", hint="have an administrator make a new token")
    config = NodeConfig(
        environment=joined.environment_id,
        environment_name=joined.environment,
        node=joined.node_id,
        name=request.name,
        master_url=request.url,
        master_name=joined.master_name,
        hub_address=joined.hub_address,
        data_listen=request.data_listen,
        data_advertised=request.data_address,
        download_listen=request.download_listen,
        download_host=request.download_host,
    )
    store_identity(home, config, Credentials(key_pem, joined.certificate_pem.encode(), joined.ca_pem.encode()), joined.signing_key)
    return Joined(config=config, fingerprint=key_id_of(joined.certificate_pem.encode()), waiting=joined.waiting)


def parse_join_token(token: str) -> str:
    """The fingerprint of the CA that it is for. Raises `UsageError`."""
    match = _TOKEN.fullmatch(token.strip())
    if match is None:
        raise UsageError("this is not a join token", hint="a token looks like hf1.….… ; copy all of it")
    return match[2]


def renewal_due(certificate_pem: bytes, clock: Clock) -> bool:
    """Whether two thirds of the certificate's life have passed."""
    certificate = certificate_of(certificate_pem)
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now(clock) >= start + (end - start) * _RENEW_AFTER


def renew(home: Path, config: NodeConfig) -> Credentials:
    """A fresh certificate for the same key, stored. Raises `NotReachable`, or what the Master says."""
    current = load_credentials(home / "identity")
    csr_pem = make_csr(current.key_pem, config.name)
    signature = load_key(current.key_pem).sign(csr_pem, ec.ECDSA(hashes.SHA256()))
    body = {
        "certificate_pem": current.cert_pem.decode(),
        "csr_pem": csr_pem.decode(),
        "signature": base64.b64encode(signature).decode(),
    }
    renewed = _post(config.master_url, "/api/v1/renew", body, current.ca_pem, _Renewed)
    fresh = Credentials(current.key_pem, renewed.certificate_pem.encode(), current.ca_pem)
    if expires_at(fresh.cert_pem) <= expires_at(current.cert_pem) - timedelta(seconds=1):
        raise ProtocolError("the Master renewed with a certificate that ends earlier", hint="check the Master's clock")
    save_credentials(home / "identity", fresh)
    return fresh


def follow(home: Path, url: str) -> NodeConfig:
    """The same Master at another address, from its next session on. Raises `JoinRefused` when who answers there was not certified by this
    node's authority, `NotReachable`, `ProtocolError`, `UsageError`."""
    config = load_config(home)
    verified = ssl.create_default_context(cadata=load_credentials(home / "identity").ca_pem.decode())
    told = _decode(_exchange(url, "GET", "/api/v1/ca", None, verified), _Authority, url)
    if not told.hub_address:
        raise ProtocolError(f"the Master at {url} does not say where its hub is", hint="bring it to this version")
    moved = msgspec.structs.replace(config, master_url=url, hub_address=told.hub_address)
    save_config(home, moved)
    return moved


def store_identity(home: Path, config: NodeConfig, credentials: Credentials, signing_key: bytes) -> None:
    """From the first step to the last this home has not joined: cut off in between it asks to join again, and never shows the
    certificate of one life with the key of another."""
    if is_joined(home):
        if load_config(home).environment != config.environment:
            # Jobs and reports of another environment are none of this Master's business.
            for name in ("node.db", "node.db-wal", "node.db-shm"):
                (home / name).unlink(missing_ok=True)
            sync_folder(home)
        config_path(home).unlink()
        sync_folder(config_path(home).parent)
    for folder in (home, home / "identity", home / "rules"):
        make_private_folder(folder)
    forget_rules(home)
    save_signing_key(home, signing_key)
    save_credentials(home / "identity", credentials)
    # Last: its presence says that all the rest is there.
    save_config(home, config)


def _fetch_authority(url: str, fingerprint: str) -> bytes:
    """The CA at this address, if it is the one the token names. Raises `JoinRefused` otherwise."""
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    pem = _decode(_exchange(url, "GET", "/api/v1/ca", None, unverified), _Authority, url).ca_pem.encode()
    try:
        found = fingerprint_of(pem)
    except HoldfastError as error:
        raise JoinRefused(f"what answers at {url} shows no CA", hint="check the Master's URL") from error
    if found != fingerprint:
        raise JoinRefused(
            f"the Master at {url} is not the one this token is for: its CA is another",
            hint="check the URL; if it is right, somebody may be in between: do not go on",
            expected=fingerprint,
            found=found,
        )
    return pem


def _post(url: str, path: str, body: Mapping[str, object], ca_pem: bytes, kind: type[A]) -> A:
    verified = ssl.create_default_context(cadata=ca_pem.decode())
    return _decode(_exchange(url, "POST", path, msgspec.json.encode(body), verified), kind, url)


def host_and_port(text: str) -> tuple[str, int]:
    """Of a Master's address, `HOST`, `HOST:PORT` or `https://HOST:PORT`. Raises `UsageError`."""
    no_address = _no_address(text)
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port = parts.port or 7440
    except ValueError:
        raise no_address from None
    if parts.scheme != "https" or not parts.hostname:
        raise no_address
    return parts.hostname, port


def _no_address(text: str) -> UsageError:
    return UsageError(f"{text!r} is not the address of a Master", hint="it looks like https://master.example.net:7440")


def _exchange(url: str, method: str, path: str, body: bytes | None, context: ssl.SSLContext) -> bytes:
    host, port = host_and_port(url)
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read(1 << 20)
    except ssl.SSLCertVerificationError as error:
        raise JoinRefused(
            f"the Master at {url} does not prove who it is: {error.verify_message}", hint="use the name or address it was set up with"
        ) from error
    except UnicodeError:
        # A part of the name is empty, or too long for one.
        raise _no_address(url) from None
    except (OSError, http.client.HTTPException) as error:
        raise NotReachable(f"no Master answers at {url}: {error}", hint="check address, port and firewall") from error
    finally:
        connection.close()
    if response.status >= 400:
        raise _error_of(content, response.status, url)
    return content


def _decode(content: bytes, kind: type[A], url: str) -> A:
    try:
        return msgspec.json.decode(content, type=kind)
    except UNREADABLE as error:
        raise ProtocolError(f"what answers at {url} is not a Master: {error}", hint="check address and port") from error


def _error_of(content: bytes, status: int, url: str) -> HoldfastError:
    """The Master's own words if they are there."""
    try:
        said = msgspec.json.decode(content, type=_ErrorAnswer).error
        return error_from(ErrorFacts(said.code, said.message, said.hint))
    except UNREADABLE:
        return _nameless_error(status, url)


def _nameless_error(status: int, url: str) -> HoldfastError:
    return ProtocolError(f"{url} answered with HTTP status {status}", hint="check that this is the Master's address")
