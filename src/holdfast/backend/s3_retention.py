"""Object lock through boto3, the optional extra `s3-lock`: obstore has no requests for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Protocol, TypeVar

from holdfast.backend import s3_errors
from holdfast.backend.capabilities import LockFacts
from holdfast.backend.credentials import Credentials
from holdfast.backend.retrying import Retrying
from holdfast.backend.s3_client import Timeouts
from holdfast.core.errors import NotReachable, Refused
from holdfast.model.object_location import ObjectLocation

T = TypeVar("T")

MODE = "COMPLIANCE"
_NO_LOCK = frozenset({"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"})


class _S3(Protocol):
    """What we use of boto3's client."""

    def get_object_lock_configuration(self, **arguments: str) -> dict[str, Any]: ...

    def get_object_retention(self, **arguments: str) -> dict[str, Any]: ...

    def put_object_retention(self, **arguments: Any) -> dict[str, Any]: ...


class Retention:
    """Reads and extends the retention of single objects, in compliance mode. Thread-safe. Raises as `ObjectLock` says."""

    def __init__(self, location: ObjectLocation, credentials: Callable[[], Credentials], retrying: Retrying, timeouts: Timeouts) -> None:
        self._location = location
        self._credentials = credentials
        self._retrying = retrying
        self._timeouts = timeouts
        self._client: tuple[Credentials, _S3] | None = None
        self._place = f"{location.url}/{location.bucket}"

    def facts(self) -> LockFacts:
        """Raises `Refused` when boto3 is not there."""
        found = self._do("its object lock", lambda s3: s3.get_object_lock_configuration(Bucket=self._location.bucket))
        configuration = (found or {}).get("ObjectLockConfiguration", {})
        enabled = configuration.get("ObjectLockEnabled") == "Enabled"
        return LockFacts(enabled=enabled, default_retention=bool(configuration.get("Rule")))

    def extend(self, key: str, until: datetime) -> datetime:
        """Until when the object is kept now, in whole seconds: `until` or later."""
        until = _whole_seconds(until)
        found = self._do(key, lambda s3: s3.get_object_retention(Bucket=self._location.bucket, Key=key))
        known = (found or {}).get("Retention", {})
        if known.get("Mode") == MODE and isinstance(known.get("RetainUntilDate"), datetime) and known["RetainUntilDate"] >= until:
            return _whole_seconds(known["RetainUntilDate"])
        wanted = {"Mode": MODE, "RetainUntilDate": until}
        done = self._do(key, lambda s3: s3.put_object_retention(Bucket=self._location.bucket, Key=key, Retention=wanted))
        if done is None:
            raise self._no_lock()
        return until

    def _do(self, what: str, ask: Callable[[_S3], T]) -> T | None:
        """None when the store says that there is no object lock, here or of this object."""
        return self._retrying.run(what, lambda _: self._tried(what, ask))

    def _tried(self, what: str, ask: Callable[[_S3], T]) -> T | None:
        s3 = self._opened()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return ask(s3)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            if code in _NO_LOCK:
                return None
            if code in ("InvalidRequest", "MethodNotAllowed", "NotImplemented") or status == 501:
                raise self._no_lock() from error
            raise s3_errors.refusal(status, code, what, self._place) from error
        except BotoCoreError as error:
            hint = "check the endpoint and the network; it is tried again"
            raise NotReachable(f"{self._place} does not answer ({type(error).__name__})", hint=hint) from error

    def _no_lock(self) -> Refused:
        hint = "object lock can only be switched on when a bucket is made; make one with it, and copy the repository there"
        return Refused(f"{self._place} has no object lock", hint=hint, location=self._place)

    def _opened(self) -> _S3:
        keys = self._credentials()
        if self._client is None or self._client[0] != keys:
            self._client = (keys, self._connected(keys))
        return self._client[1]

    def _connected(self, keys: Credentials) -> _S3:
        where = self._location
        arguments = {
            "endpoint_url": where.url,
            "region_name": where.region,
            "aws_access_key_id": keys.access_key_id,
            "aws_secret_access_key": keys.secret_access_key,
            "aws_session_token": keys.session_token or None,
        }
        style = "virtual" if where.virtual_hosts else "path"
        with _CONNECTING:
            session = _session()
            from botocore.config import Config

            config = Config(
                connect_timeout=self._timeouts.connect_s,
                read_timeout=self._timeouts.quick_s,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": style},
            )
            client: _S3 = session.client("s3", config=config, **arguments)
        return client


# Making a client reads megabytes of descriptions, which a session keeps; it must not be made by two threads at once.
_CONNECTING = threading.Lock()


@cache
def _session() -> Any:
    try:
        import boto3.session
    except ImportError as error:
        hint = "on the owner's machine: pip install 'holdfast[s3-lock]'"
        raise Refused("object lock needs boto3, which is not installed", hint=hint) from error
    return boto3.session.Session()


def _whole_seconds(moment: datetime) -> datetime:
    """Rounded up: S3 has no finer times, and a promise is not cut short."""
    moment = moment.astimezone(UTC)
    return moment if not moment.microsecond else moment.replace(microsecond=0) + timedelta(seconds=1)
