"""Joining and renewing against a small TLS server that plays the Master's part of the contract."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import stat
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.core.clock import SystemClock, now
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import JoinRefused, NotReachable, UsageError
from holdfast.node.config import NodeConfig, load_config
from holdfast.node.membership.enrol import JoinRequest, join, renew, renewal_due
from holdfast.node.membership.rule_store import load_signing_key
from holdfast.testing.node_rules import ENVIRONMENT, FILES1
from holdfast.testing.virtual_clock import VirtualClock
from holdfast.wire.authority import MASTER_NAME, Authority
from holdfast.wire.identity import certificate_of, load_credentials, node_id_of

CLOCK = SystemClock()
SECRET = "mfrggzdfmztwq2lk"


class Master:
    """Answers `/ca`, `/join` and `/renew`; `asked` keeps the bodies that came."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.create(clock=CLOCK)
        self.shown_ca = self.authority.ca_pem
        self.refusal: dict[str, str] | None = None
        self.asked: list[dict[str, Any]] = []
        shown = self.authority.issue_master(clock=CLOCK, hosts=("127.0.0.1",))
        (folder / "master.pem").write_bytes(shown.key_pem + shown.cert_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "master.pem")
        master = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(200, {"ca_pem": master.shown_ca.decode()})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                master.asked.append(body)
                if master.refusal is not None:
                    self._say(403, {"error": master.refusal})
                else:
                    self._say(200, master.joined(body) if self.path.endswith("/join") else master.renewed(body))

            def _say(self, status: int, value: object) -> None:
                payload = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.server_port}"

    @property
    def token(self) -> str:
        return f"hf1.{SECRET}.{self.authority.fingerprint}"

    def joined(self, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "certificate_pem": self.authority.issue(body["csr_pem"].encode(), FILES1, clock=CLOCK).decode(),
            "ca_pem": self.authority.ca_pem.decode(),
            "node_id": FILES1,
            "name": body["name"],
            "environment_id": ENVIRONMENT,
            "environment": "office",
            "signing_key": base64.b64encode(self.authority.signing_public).decode(),
            "hub_address": "127.0.0.1:7441",
            "master_name": MASTER_NAME,
        }

    def renewed(self, body: dict[str, Any]) -> dict[str, Any]:
        public = certificate_of(body["certificate_pem"].encode()).public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(base64.b64decode(body["signature"]), body["csr_pem"].encode(), ec.ECDSA(hashes.SHA256()))
        fresh = self.authority.issue(body["csr_pem"].encode(), FILES1, clock=CLOCK, lifetime_s=90 * 86_400)
        return {"certificate_pem": fresh.decode(), "ca_pem": self.authority.ca_pem.decode()}

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Master]:
    made = Master(tmp_path)
    yield made
    made.close()


def enrol(home: Path, master: Master, **changes: Any) -> NodeConfig:
    request = {"url": master.url, "token": master.token, "name": "files1", "data_address": "files1.example:7442"} | changes
    return join(home, JoinRequest(**request), clock=CLOCK, entropy=SystemEntropy()).config


def test_a_machine_joins_and_keeps_its_key_to_itself(tmp_path: Path, master: Master) -> None:
    home = tmp_path / "home"
    config = enrol(home, master)
    assert load_config(home) == config
    assert (config.node, config.environment_name, config.hub_address) == (FILES1, "office", "127.0.0.1:7441")
    assert node_id_of(load_credentials(home / "identity").cert_pem) == FILES1
    assert load_signing_key(home) == master.authority.signing_public
    for path in (home, home / "identity", home / "rules"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (home / "identity").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "PRIVATE" not in json.dumps(master.asked)
    assert set(master.asked[0]) == {"token", "name", "csr_pem", "replace"}


def test_a_wrong_ca_gets_no_secret(tmp_path: Path, master: Master) -> None:
    other = Authority.create(clock=CLOCK)
    with pytest.raises(JoinRefused, match="CA is another"):
        enrol(tmp_path / "home", master, token=f"hf1.{SECRET}.{other.fingerprint}")
    master.shown_ca = other.ca_pem
    with pytest.raises(JoinRefused, match="does not prove"):
        enrol(tmp_path / "home", master, token=f"hf1.{SECRET}.{other.fingerprint}")
    assert master.asked == []
    assert not (tmp_path / "home" / "identity").exists()


def test_the_masters_refusal_comes_through(tmp_path: Path, master: Master) -> None:
    master.refusal = {"code": "join-refused", "message": "this join token was used already", "hint": "make a new one"}
    with pytest.raises(JoinRefused, match="used already") as caught:
        enrol(tmp_path / "home", master)
    assert caught.value.hint == "make a new one"


@pytest.mark.parametrize("token", ["", "hf1.x", "hf2.mfrg." + "0" * 64, "hf1.mfrg." + "z" * 64])
def test_what_is_no_token_is_said_before_anything_is_sent(tmp_path: Path, token: str) -> None:
    with pytest.raises(UsageError):
        join(tmp_path, JoinRequest(url="https://127.0.0.1:1", token=token, name="x"), clock=CLOCK, entropy=SystemEntropy())


@pytest.mark.parametrize("url", ["https://master:744000", "https://[::1", "https://.example.net", "http://master", "https://"])
def test_what_is_no_address_is_said(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="not the address of a Master"):
        join(tmp_path, JoinRequest(url=url, token=f"hf1.{SECRET}.{'0' * 64}", name="files1"), clock=CLOCK, entropy=SystemEntropy())


def test_a_silent_master_is_not_reachable(tmp_path: Path) -> None:
    token = f"hf1.{SECRET}.{hashlib.sha256(b'').hexdigest()}"
    with pytest.raises(NotReachable):
        join(tmp_path, JoinRequest(url="https://127.0.0.1:1", token=token, name="x"), clock=CLOCK, entropy=SystemEntropy())


def test_a_joined_machine_joins_anew_only_on_purpose(tmp_path: Path, master: Master) -> None:
    home = tmp_path / "home"
    enrol(home, master)
    with pytest.raises(JoinRefused, match="already"):
        enrol(home, master)
    (home / "rules" / "current.json").write_text("{}")
    enrol(home, master, replace=True)
    assert master.asked[-1]["replace"] is True
    assert not (home / "rules" / "current.json").exists()


def test_a_certificate_is_renewed_with_the_same_key_after_two_thirds(tmp_path: Path, master: Master) -> None:
    home = tmp_path / "home"
    config = enrol(home, master)
    before = load_credentials(home / "identity")
    clock = VirtualClock(now(CLOCK))
    assert not renewal_due(before.cert_pem, clock)
    clock.advance(timedelta(days=21).total_seconds())
    assert renewal_due(before.cert_pem, clock)
    after = renew(home, config)
    assert after == load_credentials(home / "identity")
    assert after.key_pem == before.key_pem
    assert not renewal_due(after.cert_pem, clock)
