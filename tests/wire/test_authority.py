"""Identity and authority: what a certificate says, and what a signing request cannot make it say."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from holdfast.core.errors import NotAuthenticated, Refused
from holdfast.core.ids import NodeId
from holdfast.wire import identity
from holdfast.wire.authority import MASTER_NAME, Authority, verify_signature

NODE = NodeId("ab" * 16)


@dataclass(frozen=True)
class At:
    moment: datetime

    def now_ns(self) -> int:
        return int(self.moment.timestamp()) * 1_000_000_000

    def monotonic_s(self) -> float:
        return 0.0


CLOCK = At(datetime(2026, 5, 6, 7, tzinfo=UTC))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(clock=CLOCK)


def test_a_certificate_says_who_and_for_how_long_and_no_more(authority: Authority) -> None:
    key = identity.new_key()
    pem = authority.issue(identity.make_csr(key), NODE, clock=CLOCK, lifetime_s=86_400)
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert identity.node_id_of(pem) == NODE
    assert list(names) == [x509.DNSName(NODE)]
    assert identity.expires_at(pem) == CLOCK.moment + timedelta(days=1)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.ca_pem))


def test_the_key_id_stays_over_renewals_and_differs_between_keys(authority: Authority) -> None:
    key = identity.new_key()
    csr = identity.make_csr(key)
    first, second = (authority.issue(csr, NODE, clock=CLOCK) for _ in range(2))
    assert first != second
    assert identity.key_id_of(first) == identity.key_id_of(second) == identity.key_id_of_csr(csr)
    assert identity.key_id_of(authority.issue(identity.make_csr(identity.new_key()), NODE, clock=CLOCK)) != identity.key_id_of(first)


def test_all_but_the_key_of_a_request_is_ignored(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, MASTER_NAME)]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(MASTER_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    pem = authority.issue(csr, NODE, clock=CLOCK)
    assert identity.node_id_of(pem) == NODE
    assert MASTER_NAME.encode() not in x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


def test_bad_requests_are_refused(authority: Authority) -> None:
    good = x509.load_pem_x509_csr(identity.make_csr(identity.new_key())).public_bytes(serialization.Encoding.DER)
    forged = x509.load_der_x509_csr(good[:-3] + bytes([good[-3] ^ 1]) + good[-2:]).public_bytes(serialization.Encoding.PEM)
    weak = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .sign(rsa.generate_private_key(65_537, 2_048), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    for csr in (b"", b"nonsense", forged, weak):
        with pytest.raises(Refused):
            authority.issue(csr, NODE, clock=CLOCK)


def test_nobody_can_be_given_another_identity_by_name(authority: Authority) -> None:
    csr = identity.make_csr(identity.new_key())
    for node in (MASTER_NAME, MASTER_NAME.upper(), MASTER_NAME + ".", NODE + ".", "localhost", "*", "", "a b", "a,b", "a/b"):
        with pytest.raises(Refused):
            authority.issue(csr, NodeId(node), clock=CLOCK)


def test_the_master_gets_its_name(authority: Authority) -> None:
    credentials = authority.issue_master(clock=CLOCK, hosts=["vault.example.net"])
    assert identity.node_id_of(credentials.cert_pem) == MASTER_NAME
    assert credentials.ca_pem == authority.ca_pem
    assert "PRIVATE" not in repr(credentials)
    assert "PRIVATE" not in repr(authority)


def test_the_authority_survives_its_folder(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(NotAuthenticated, match="no authority"):
        Authority.load(tmp_path)
    authority.save(tmp_path / "authority")
    assert Authority.load(tmp_path / "authority") == authority
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "authority").iterdir()} == {0o600}
    assert len(authority.fingerprint) == 64


def test_signatures(authority: Authority) -> None:
    signature = authority.sign(b"rules")
    assert verify_signature(authority.signing_public, b"rules", signature)
    assert not verify_signature(authority.signing_public, b"other", signature)
    assert not verify_signature(authority.signing_public, b"rules", signature[:-1])
    assert not verify_signature(b"short", b"rules", signature)
    assert not verify_signature(Authority.create(clock=CLOCK).signing_public, b"rules", signature)


def test_credentials_survive_their_folder_private(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(NotAuthenticated, match="no identity"):
        identity.load_credentials(tmp_path)
    credentials = authority.issue_master(clock=CLOCK)
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "key.pem").write_text("old")
    (tmp_path / "identity" / "key.pem").chmod(0o644)
    identity.save_credentials(tmp_path / "identity", credentials)
    assert identity.load_credentials(tmp_path / "identity") == credentials
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "identity").iterdir()} == {0o600}


def test_what_is_no_certificate_is_said_so() -> None:
    for call in (identity.node_id_of, identity.key_id_of, identity.expires_at, identity.load_key, identity.key_id_of_csr):
        with pytest.raises(NotAuthenticated):
            call(b"nonsense")
