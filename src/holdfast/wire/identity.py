"""Who a process is: an ECDSA P-256 key and a certificate of the environment's CA, whose common name is the node id.

P-256 because gRPC's TLS (BoringSSL) does not offer Ed25519 certificates to its peers. The identity checked per call is the *key id*,
so that a certificate can be renewed without becoming somebody else, and a key can be revoked without waiting for its certificate.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdfast.core.errors import NotAuthenticated
from holdfast.core.ids import NodeId
from holdfast.core.private_files import make_private_folder, write_private

KEY_FILE, CERTIFICATE_FILE, AUTHORITY_FILE = "key.pem", "cert.pem", "ca.pem"


@dataclass(frozen=True)
class Credentials:
    """What a process shows (`cert_pem`, proven by `key_pem`) and whom it believes (`ca_pem`). `repr` keeps the key to itself."""

    key_pem: bytes
    cert_pem: bytes
    ca_pem: bytes

    def __repr__(self) -> str:
        return f"Credentials(key_id={key_id_of(self.cert_pem)!r})"


def new_key() -> bytes:
    """A fresh private key, PKCS #8 PEM. Its randomness is the TLS library's own."""
    return private_pem(ec.generate_private_key(ec.SECP256R1()))


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def load_key(key_pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Raises `NotAuthenticated` when it is no P-256 key."""
    try:
        key = serialization.load_pem_private_key(key_pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # A `TypeError` says that it is under a password.
        raise NotAuthenticated(f"this is no private key: {error}", hint="join the node again") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise NotAuthenticated("the key is not of the kind P-256", hint="join the node again")
    return key


def make_csr(key_pem: bytes, name: str = "holdfast node") -> bytes:
    """A certificate signing request, PEM. The authority takes only the key from it; the name is for people."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .sign(load_key(key_pem), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


@contextmanager
def _unreadable(what: str) -> Iterator[None]:
    """The library looks at most of it only when it is asked for, and tells of each fault in its own way."""
    try:
        yield
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotAuthenticated(f"this is no {what}: {error}", hint="join the node again") from None


@functools.lru_cache(maxsize=16)
def certificate_of(cert_pem: bytes) -> x509.Certificate:
    """Kept, since each caller is asked for its name and its key, one after the other."""
    with _unreadable("certificate"):
        return x509.load_pem_x509_certificate(cert_pem)


def node_id_of(cert_pem: bytes) -> NodeId:
    """The node id a certificate was issued to: its common name."""
    with _unreadable("certificate"):
        names = certificate_of(cert_pem).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1 or not isinstance(names[0].value, str):
        raise NotAuthenticated("the certificate names nobody", hint="join the node again")
    return NodeId(names[0].value)


def key_id_of(cert_pem: bytes) -> str:
    """SHA-256 of the public key (SubjectPublicKeyInfo, DER) in hex; the same for every certificate of one key."""
    with _unreadable("certificate"):
        return _key_id(certificate_of(cert_pem).public_key())


def key_id_of_csr(csr_pem: bytes) -> str:
    with _unreadable("signing request"):
        return _key_id(x509.load_pem_x509_csr(csr_pem).public_key())


def expires_at(cert_pem: bytes) -> datetime:
    """End of validity, UTC."""
    with _unreadable("certificate"):
        return certificate_of(cert_pem).not_valid_after_utc


def fingerprint_of(cert_pem: bytes) -> str:
    """SHA-256 of the whole certificate in hex: what a join token carries of the CA."""
    return certificate_of(cert_pem).fingerprint(hashes.SHA256()).hex()


def save_credentials(folder: Path, credentials: Credentials) -> None:
    """Three files, 0600, each replaced whole; the key first, so that a certificate is never without its key."""
    make_private_folder(folder)
    write_private(folder / KEY_FILE, credentials.key_pem)
    write_private(folder / AUTHORITY_FILE, credentials.ca_pem)
    write_private(folder / CERTIFICATE_FILE, credentials.cert_pem)


def load_credentials(folder: Path) -> Credentials:
    """Raises `NotAuthenticated` when this machine has not joined yet."""
    try:
        key, cert, ca = ((folder / name).read_bytes() for name in (KEY_FILE, CERTIFICATE_FILE, AUTHORITY_FILE))
    except FileNotFoundError as error:
        raise NotAuthenticated(f"no identity here: {error.filename} is missing", hint="run `holdfast node join`") from None
    return Credentials(key, cert, ca)


def _key_id(key: object) -> str:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise NotAuthenticated("the key is not of the kind P-256", hint="join the node again")
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()
