"""The certificate of the download port.

It has a key of its own and names the host that stands in links, nothing else: it is no identity, and nobody is let in by it. The
machine's administrator may put one of his own into `HOME/downloads/`, which browsers know already.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.extensions import ExtensionNotFound

from holdfast.core.clock import Clock, now
from holdfast.core.errors import HoldfastError, NotAuthenticated, ProtocolError
from holdfast.core.private_files import make_private_folder, write_private
from holdfast.wire.identity import CERTIFICATE_FILE, KEY_FILE, certificate_of, load_key, make_csr, new_key

_LEFT = timedelta(days=5)


def own_folder(home: Path) -> Path:
    """Where an administrator puts `cert.pem` (the chain) and `key.pem`."""
    return home / "downloads"


def _issued_folder(home: Path) -> Path:
    return home / "identity" / "downloads"


def has_own(home: Path) -> bool:
    return all((own_folder(home) / name).is_file() for name in (CERTIFICATE_FILE, KEY_FILE))


def certificate_folder(home: Path) -> Path | None:
    """Where `cert.pem` and `key.pem` of the port are; None = it has none yet."""
    if has_own(home):
        return own_folder(home)
    return _issued_folder(home) if (_issued_folder(home) / CERTIFICATE_FILE).is_file() else None


def request_for(home: Path, host: str, clock: Clock) -> bytes:
    """A signing request (PEM) when the port has no certificate for this host that lasts; empty = it has."""
    if has_own(home) or _is_good(home, host, clock):
        return b""
    folder = make_private_folder(_issued_folder(home))
    try:
        key = (folder / KEY_FILE).read_bytes()
        load_key(key)
    except (OSError, HoldfastError):
        key = new_key()
        write_private(folder / KEY_FILE, key)
    return make_csr(key, "holdfast downloads")


def take(home: Path, cert_pem: bytes, host: str) -> None:
    """Show this from now on. Raises `ProtocolError` when it is not for the port's key, or not for that host."""
    folder = _issued_folder(home)
    try:
        key = load_key((folder / KEY_FILE).read_bytes())
        certificate = certificate_of(cert_pem)
    except (OSError, NotAuthenticated) as error:
        raise ProtocolError(f"no certificate for downloads: {error}") from error
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    same_key = certificate.public_key().public_bytes(serialization.Encoding.DER, form) == key.public_key().public_bytes(
        serialization.Encoding.DER, form
    )
    if not same_key or host not in _hosts(certificate):
        raise ProtocolError("the certificate for downloads is for another key or host")
    write_private(folder / CERTIFICATE_FILE, cert_pem)


def _is_good(home: Path, host: str, clock: Clock) -> bool:
    try:
        certificate = certificate_of((_issued_folder(home) / CERTIFICATE_FILE).read_bytes())
        load_key((_issued_folder(home) / KEY_FILE).read_bytes())
    except (OSError, HoldfastError):
        return False
    return host in _hosts(certificate) and certificate.not_valid_after_utc - _LEFT > now(clock)


def _hosts(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except ExtensionNotFound:
        return set()
    return {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
