"""The Master's small certificate authority, and its key for signing rules and orders.

Pure cryptography over values; only `load` and `save` touch the disk.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from holdfast.core.clock import Clock, now
from holdfast.core.errors import NotAuthenticated, Refused
from holdfast.core.ids import NodeId, is_id
from holdfast.core.private_files import make_private_folder, write_private
from holdfast.wire.identity import Credentials, certificate_of, fingerprint_of, load_key, make_csr, new_key, private_pem

MASTER_NAME = "holdfast-master"
DOWNLOADS_NAME = "Holdfast downloads"
AUTHORITY_LIFETIME_S = 10 * 365 * 86_400
NODE_LIFETIME_S = 30 * 86_400
_CA_KEY, _CA_CERTIFICATE, _SIGNING_KEY = "ca-key.pem", "ca.pem", "signing-key.pem"
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}\.?)*")
# Machines whose clocks are a little behind must be able to use a fresh certificate.
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True)
class Authority:
    """The CA (P-256, ten years) and the signing key (Ed25519). Immutable and thread-safe; times come from the clock given."""

    ca_key_pem: bytes
    ca_pem: bytes
    signing_key_pem: bytes

    def __repr__(self) -> str:
        return f"Authority(fingerprint={self.fingerprint!r})"

    @classmethod
    def create(cls, *, clock: Clock) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Holdfast environment")])
        start = now(clock) - _BACKDATED
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(seconds=AUTHORITY_LIFETIME_S))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        signing = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(private_pem(key), certificate.public_bytes(serialization.Encoding.PEM), signing)

    @classmethod
    def load(cls, folder: Path) -> Authority:
        """Raises `NotAuthenticated` when there is none."""
        try:
            key, cert, signing = ((folder / name).read_bytes() for name in (_CA_KEY, _CA_CERTIFICATE, _SIGNING_KEY))
        except FileNotFoundError as error:
            raise NotAuthenticated(f"no authority here: {error.filename} is missing", hint="run `holdfast master init`") from None
        return cls(key, cert, signing)

    def save(self, folder: Path) -> None:
        make_private_folder(folder)
        write_private(folder / _CA_KEY, self.ca_key_pem)
        write_private(folder / _SIGNING_KEY, self.signing_key_pem)
        write_private(folder / _CA_CERTIFICATE, self.ca_pem)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the CA certificate in hex: what join tokens carry."""
        return fingerprint_of(self.ca_pem)

    @property
    def signing_public(self) -> bytes:
        """The raw 32 bytes that verify `sign`."""
        return self._signing().public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def sign(self, body: bytes) -> bytes:
        """Ed25519, 64 bytes."""
        return self._signing().sign(body)

    def secret_key(self, purpose: bytes) -> bytes:
        """32 bytes that only who has this authority can make, others for each purpose (HKDF, RFC 5869)."""
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(self.signing_key_pem)

    def issue(self, csr_pem: bytes, node: NodeId, *, clock: Clock, lifetime_s: float = NODE_LIFETIME_S) -> bytes:
        """A certificate (PEM) for the key in the request; its name and everything else the request says is ignored.

        It bears the node's id and no host name at all: peers dial by id, and a node with a host name of the Master in its certificate
        could be taken for the Master's API. Raises `Refused` when the request is not signed by its own key.
        """
        if not is_id(node):
            raise Refused(f"{node!r} cannot be a node id")
        return self._issue(_public_key_of(csr_pem), node, [node], lifetime_s, clock)

    def issue_master(self, *, clock: Clock, hosts: Sequence[str] = (), lifetime_s: float = NODE_LIFETIME_S) -> Credentials:
        """Fresh credentials for the Master's hub (and API): `holdfast-master`, localhost and the given hosts."""
        key = new_key()
        public = _public_key_of(make_csr(key))
        return Credentials(key, self._issue(public, MASTER_NAME, [MASTER_NAME, "localhost", *hosts], lifetime_s, clock), self.ca_pem)

    def issue_downloads(self, csr_pem: bytes, host: str, *, clock: Clock) -> bytes:
        """A certificate (PEM) for a node's port for downloads: for browsers that come to `host`. It is nobody's identity: it names no node,
        and no server of ours takes it from who connects. Raises `Refused` for a host that is none, and as `issue` does."""
        if is_id(host) or host == MASTER_NAME:
            raise Refused(f"{host!r} is no host")
        return self._issue(_public_key_of(csr_pem), DOWNLOADS_NAME, [host], NODE_LIFETIME_S, clock)

    def _issue(self, public: ec.EllipticCurvePublicKey, name: str, hosts: Sequence[str], lifetime_s: float, clock: Clock) -> bytes:
        issuer = certificate_of(self.ca_pem)
        moment = now(clock)
        ca_key = load_key(self.ca_key_pem)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(moment - _BACKDATED, issuer.not_valid_before_utc))
            .not_valid_after(min(moment + timedelta(seconds=lifetime_s), issuer.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_usages_of(name)), critical=False)
            .add_extension(x509.SubjectAlternativeName(_alternative_names(hosts)), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _signing(self) -> Ed25519PrivateKey:
        return _signing_key(self.signing_key_pem)


# Reading a key takes ten times as long as signing, and an activation signs the rules of every node.
@lru_cache(maxsize=4)
def _signing_key(pem: bytes) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise NotAuthenticated("the signing key is not of the kind Ed25519", hint="restore the authority folder from its backup")
    return key


def verify_signature(public_raw: bytes, body: bytes, signature: bytes) -> bool:
    """True only for an Ed25519 signature of `body` by the key with these 32 public bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public_raw).verify(signature, body)
    except (InvalidSignature, ValueError):
        return False
    return True


def _public_key_of(csr_pem: bytes) -> ec.EllipticCurvePublicKey:
    try:
        csr = x509.load_pem_x509_csr(csr_pem)
        signed = csr.is_signature_valid
        key = csr.public_key()
    except (ValueError, TypeError) as error:
        raise Refused(f"not a certificate signing request: {error}", hint="join again with a current version") from None
    if not signed:
        raise Refused("the signing request is not signed by its own key", hint="join again")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise Refused("the key of the signing request is not of the kind P-256", hint="join again with a current version")
    return key


def _alternative_names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in dict.fromkeys(hosts):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host.strip("[]"))))
        except ValueError:
            if _DNS_NAME.fullmatch(host) is None:
                raise Refused(f"{host!r} is neither a host name nor an address", hint="give the machine's DNS name or address") from None
            names.append(x509.DNSName(host))
    return names


def _usages_of(name: str) -> list[x509.ObjectIdentifier]:
    if name == DOWNLOADS_NAME:
        return [ExtendedKeyUsageOID.SERVER_AUTH]
    return [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
