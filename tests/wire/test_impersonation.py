"""A rogue node with a genuine certificate tries to be taken for somebody else."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from contextlib import nullcontext
from pathlib import Path

import pytest

from holdfast.core.clock import SystemClock
from holdfast.core.errors import Refused
from holdfast.core.ids import NodeId
from holdfast.testing.identities import credentials_for
from holdfast.wire.authority import MASTER_NAME, Authority
from holdfast.wire.channel import Channel
from holdfast.wire.data_client import dial
from holdfast.wire.data_server import DataServer
from holdfast.wire.identity import save_credentials

ROGUE, VAULT, FILES1 = NodeId("a" * 32), NodeId("b" * 32), NodeId("c" * 32)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(clock=SystemClock())


@pytest.mark.parametrize("claim", [MASTER_NAME, VAULT, "localhost"])
def test_a_node_is_taken_for_nobody_else_by_its_peers(authority: Authority, claim: str) -> None:
    def serve(channel: Channel) -> None:
        channel.receive(1)

    server = DataServer("127.0.0.1:0", credentials_for(authority, ROGUE), serve, serve, lambda key: False)
    address = f"127.0.0.1:{server.start()}"
    try:
        with pytest.raises(Refused, match="not who it should be"):
            dial(address, credentials_for(authority, FILES1), NodeId(claim), "Deliver")
    finally:
        server.stop(0)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "master.example.net", MASTER_NAME])
def test_a_node_is_not_taken_for_the_api(authority: Authority, tmp_path: Path, host: str) -> None:
    save_credentials(tmp_path, credentials_for(authority, ROGUE))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    here, there = socket.socketpair()

    def serve() -> None:
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(there, server_side=True)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            ssl.create_default_context(cadata=authority.ca_pem.decode()).wrap_socket(here, server_hostname=host)
    finally:
        here.close()
        thread.join()
        there.close()


@pytest.mark.parametrize(
    ("version", "taken"), [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)]
)
def test_old_versions_of_tls_are_refused(authority: Authority, tmp_path: Path, version: ssl.TLSVersion, taken: bool) -> None:
    save_credentials(tmp_path, credentials_for(authority, FILES1))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.set_alpn_protocols(["h2"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    server = DataServer("127.0.0.1:0", credentials_for(authority, VAULT), lambda channel: None, lambda channel: None, lambda key: False)
    port = server.start()
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as plain, nullcontext() if taken else pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(plain).close()
    finally:
        server.stop(0)
