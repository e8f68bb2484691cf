"""What a store's refusals mean for us: by HTTP status and S3 error code, as obstore's texts carry them."""

from __future__ import annotations

import re

from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError

from holdfast.core.errors import Conflict, NoSpace, NotReachable, Refused, RepositoryMissing, StoreDenied, StoreError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9]+)</Code>")
_DNS = re.compile(r'"dns error"')
_TLS = re.compile(r"certificate|InvalidContentType|InvalidCertificate|UnknownIssuer", re.IGNORECASE)
_TIMED_OUT = re.compile(r"TimedOut|kind: Timeout|timed out")

_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "ServiceQuotaExceeded", "InsufficientCapacity"})
_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_SOON = frozenset({"RequestTimeout", "SlowDown", "OperationAborted", "ServiceUnavailable", "InternalError", "ConditionalRequestConflict"})
_HINTS = {
    "InvalidAccessKeyId": "the access key is not known there; look at HOME/keys/NAME.s3",
    "SignatureDoesNotMatch": "the secret key is wrong, or the region; look at HOME/keys/NAME.s3 and the location",
    "AccessDenied": "the account needs the right to list the bucket, and to read, write and delete in its prefix",
    "ExpiredToken": "the session token has expired; write new keys to HOME/keys/NAME.s3",
    "AuthorizationHeaderMalformed": "the region is another one; add region=... to the location",
}


def status_of(error: BaseException) -> int:
    """HTTP status; 0 = there was no answer."""
    match = _STATUS.search(str(error))
    return int(match.group(1)) if match else 0


def code_of(error: BaseException) -> str:
    """S3's own code, empty when the answer had no body (HEAD never has one)."""
    match = _CODE.search(str(error))
    return match.group(1) if match else ""


def is_missing(error: BaseException) -> bool:
    """The bucket or the object is not there."""
    return isinstance(error, (NotFoundError, FileNotFoundError)) or status_of(error) == 404


def is_taken(error: BaseException) -> bool:
    """A conditional write found that the name exists."""
    return isinstance(error, (AlreadyExistsError, PreconditionError)) or status_of(error) == 412


def is_beyond_end(error: BaseException) -> bool:
    """A range that begins after the last byte."""
    return status_of(error) == 416


def translated(error: BaseException, what: str, place: str) -> StoreError | NotReachable | Refused:
    """`what` was asked for, at `place` (a URL without keys). The original text, which may be long, is left to the caller's `from`."""
    if is_taken(error):
        return Conflict(f"{what} at {place} exists already", hint="somebody else made it first", location=place)
    status = 404 if is_missing(error) else status_of(error)
    return refusal(status, code_of(error), what, place) if status else _silence(str(error), place)


def refusal(status: int, code: str, what: str, place: str) -> StoreError | NotReachable:
    """What an answer with this HTTP status and S3 code means."""
    said = f"{status} {code}".strip()
    if status == 404:
        if code == "NoSuchBucket":
            return RepositoryMissing(f"there is no bucket at {place}", hint="make the bucket, or correct the location", location=place)
        return RepositoryMissing(f"not there: {what} at {place}", hint="check the location and the bucket", location=place)
    if code in _FULL or status == 507:
        return NoSpace(f"{place} is full ({said})", hint="raise the quota, or shorten the keep rules and prune", location=place)
    if code in _CLOCK:
        hint = "set this machine's clock (NTP), or the store's"
        return StoreDenied(f"{place} refuses requests of this time of day ({said})", hint=hint, location=place)
    if status in (401, 403) or code in _HINTS:
        return StoreDenied(f"{place} refuses our keys ({said})", hint=_HINTS.get(code, ""), location=place)
    if (status >= 500 and status != 501) or status in (408, 425, 429) or code in _SOON:
        return NotReachable(f"{place} answers {said}", hint="it is tried again; look at the store if it lasts", location=place)
    return StoreError(f"{place} answers {said} to {what}", hint="the log has the details", location=place)


def _silence(text: str, place: str) -> NotReachable:
    if _DNS.search(text):
        reason, hint = "has a name that nobody knows", "check the endpoint and this machine's name resolution; it is tried again"
    elif _TLS.search(text):
        reason = "does not speak TLS that this machine trusts"
        hint = "check the endpoint's scheme and port; put its CA into this machine's trusted certificates"
    elif _TIMED_OUT.search(text):
        reason, hint = "does not answer in time", "check the endpoint and the network; it is tried again"
    else:
        reason, hint = "does not answer", "check the endpoint and the network; it is tried again"
    return NotReachable(f"{place} {reason}", hint=hint, location=place)


FOREIGN = (BaseError, OSError)
"""What obstore raises: its own tree, and Python's `FileNotFoundError` for what is not there."""
