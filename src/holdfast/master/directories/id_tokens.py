"""What an OpenID provider says of somebody: an ID token, held against the provider's keys, and against what was asked for.

https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation, with the clock handed in. Signatures are the affair of joserfc,
which comes with the extra `holdfast[oidc]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from holdfast.core.errors import NotAuthenticated, UsageError
from holdfast.master.directory_settings import OidcDirectory
from holdfast.master.records.directory_users import Outsider
from holdfast.model.decoding import UNREADABLE

# With keys that only the provider has. `none` and the HMACs, whose key every client has, are no signatures of a provider.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
LEEWAY_S = 60
_KEY_KINDS = ("RSA", "EC", "OKP")
_LONGEST_SUBJECT = 255
_LONGEST_TOKEN = 100_000
_MOST_GROUPS, _LONGEST_GROUP = 2_000, 1_000
_HINT = "somebody may be in between, or the provider and the Master's configuration do not fit together; try again"

Claims = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """What an ID token has to say. `nonce` None: it was asked for without one."""

    issuer: str
    client_id: str
    nonce: str
    now_s: int


class UnknownKey(NotAuthenticated):
    """Signed with a key that is not among those that were given: the provider may have a new one since."""


def has_library() -> bool:
    try:
        import joserfc  # noqa: F401
    except ImportError:
        return False
    return True


def check_library() -> None:
    """Raises `UsageError` where the extra is not installed."""
    if not has_library():
        raise UsageError(
            "this Master cannot read the tokens of OpenID providers",
            hint="install the extra on its machine, `pip install 'holdfast[oidc]'`, and restart it; local accounts still work",
        )


def verified_claims(token: str, keys: list[dict[str, Any]], expected: Expected) -> Claims:
    """What the token says, once it is the provider's own, for this Master, of this very sign-in, and of now.

    `keys` as in a JWKS. Raises `UnknownKey`, and `NotAuthenticated` with what is wrong."""
    from joserfc import errors, jwt
    from joserfc.jwk import KeySet

    usable = [key for key in keys if key.get("kty") in _KEY_KINDS and key.get("use", "sig") == "sig"]
    if not usable or len(token) > _LONGEST_TOKEN:
        raise _wrong("the provider has published no key for it" if not usable else "it is too long")
    try:
        decoded = jwt.decode(token, KeySet.import_key_set({"keys": usable}), algorithms=list(ALGORITHMS))
    except errors.InvalidKeyIdError:
        raise UnknownKey("the token is signed with a key that the provider has not published", hint=_HINT) from None
    except errors.JoseError as error:
        raise _wrong(error.description or error.error) from None
    except (ValueError, TypeError, KeyError, AttributeError, UserWarning) as error:
        # Keys and tokens are others' words; the library does not promise which error their nonsense ends in.
        raise _wrong(f"it cannot be read ({type(error).__name__})") from None
    claims = decoded.claims
    _check_claims(claims, expected)
    return claims


def outsider_of(directory: OidcDirectory, claims: Claims) -> Outsider:
    """Whom the claims are about. Raises `NotAuthenticated` where they do not say it."""
    name = claims.get(directory.name_claim)
    if not isinstance(name, str) or not name:
        hint = "ask for the scope that brings it, let the provider put it in, or name another claim in `name_claim`"
        raise NotAuthenticated(f"the directory {directory.name} does not say the claim {directory.name_claim!r}", hint=hint)
    if directory.name_claim == "email" and claims.get("email_verified") is not True:
        raise NotAuthenticated(f"the directory {directory.name} has not verified the address {name[:100]!r}", hint="it is verified there")
    return Outsider(directory=directory.name, subject=claims["sub"], name=name.lower(), groups=_groups(claims.get(directory.groups_claim)))


def has_all(directory: OidcDirectory, claims: Claims) -> bool:
    """Whether the token says by itself who it is and in which groups; else the provider has to be asked once more."""
    return directory.name_claim in claims and (directory.groups_claim in claims or not directory.roles)


def decoded_object(body: bytes) -> dict[str, Any]:
    """Raises `NotAuthenticated` for what is no JSON object."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except UNREADABLE:
        raise NotAuthenticated("the provider answers with what is no JSON object", hint=_HINT) from None


def _check_claims(claims: Claims, expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise _wrong("it is of another issuer")
    audience = claims.get("aud")
    if audience != expected.client_id and not (isinstance(audience, list) and expected.client_id in audience):
        raise _wrong("it is for another application")
    party = claims.get("azp")
    if (party is not None and party != expected.client_id) or (party is None and isinstance(audience, list) and len(audience) > 1):
        raise _wrong("it was given to another application")
    for claim, sign in (("exp", 1), ("iat", -1), ("nbf", -1)):
        at = claims.get(claim)
        if at is None and claim == "nbf":
            continue
        if not isinstance(at, int | float) or isinstance(at, bool):
            raise _wrong(f"its time {claim!r} is missing")
        if (at - expected.now_s) * sign < -LEEWAY_S:
            raise _wrong("it has expired" if claim == "exp" else "it is of a time to come; compare the clocks")
    if claims.get("nonce") != expected.nonce:
        raise _wrong("it is of another sign-in")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise _wrong("it does not say whom it is about")


def _groups(value: object) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(group for group in found[:_MOST_GROUPS] if isinstance(group, str) and 0 < len(group) <= _LONGEST_GROUP)


def _wrong(why: str) -> NotAuthenticated:
    return NotAuthenticated(f"the provider's token is not acceptable: {why}", hint=_HINT)
