"""What a node proves when it renews: that its certificate is ours, and that it holds the certificate's key."""

from __future__ import annotations

from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.core.errors import NotAuthenticated
from holdfast.wire.identity import certificate_of

_JOIN_AGAIN = "join the node again with a new token and --replace"


def check_certificate(cert_pem: bytes, ca_pem: bytes, at: datetime) -> None:
    """Raises `NotAuthenticated` unless the CA issued this certificate and it has not expired."""
    certificate, authority = certificate_of(cert_pem), certificate_of(ca_pem)
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        raise NotAuthenticated("this certificate is from another authority", hint=_JOIN_AGAIN) from None
    if certificate.not_valid_after_utc <= at:
        raise NotAuthenticated("this certificate has expired", hint=_JOIN_AGAIN)


def check_holder(cert_pem: bytes, message: bytes, signature: bytes) -> None:
    """Raises `NotAuthenticated` unless the key of the certificate signed the message (ECDSA, SHA-256)."""
    key = certificate_of(cert_pem).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise NotAuthenticated("the key is not of the kind P-256", hint=_JOIN_AGAIN)
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise NotAuthenticated("the request is not signed by the certificate's key", hint=_JOIN_AGAIN) from None
