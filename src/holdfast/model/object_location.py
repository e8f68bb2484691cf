"""Where in an object store a repository lies: `s3://BUCKET/PREFIX?endpoint=URL&region=R&...`, parsed and checked. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from holdfast.core.errors import UsageError
from holdfast.core.units import parse_rate_bytes_s, parse_size_bytes

SCHEME = "s3://"
DEFAULT_REGION = "us-east-1"
DEFAULT_CONNECTIONS = 4
DEFAULT_CACHE_BYTES = 2 << 30
OPTIONS = ("endpoint", "region", "style", "connections", "limit", "cache")

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_PREFIX_PART = re.compile(r"[A-Za-z0-9._=@+-]{1,255}")
_REGION = re.compile(r"[A-Za-z0-9-]{1,63}")
_MOST_CONNECTIONS = 32
_HINT = "write s3://BUCKET/PREFIX?endpoint=https://HOST"


@dataclass(frozen=True, kw_only=True)
class ObjectLocation:
    """`endpoint` is a URL without a path, empty = Amazon's for the region. `prefix` has no slash at either end and may be empty.

    `virtual_hosts`: the bucket is part of the host's name. `limit_bytes_s` None = no limit. `cache_bytes` bounds what the owner keeps of
    index, snapshots and trees.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = DEFAULT_REGION
    virtual_hosts: bool = False
    connections: int = DEFAULT_CONNECTIONS
    limit_bytes_s: int | None = None
    cache_bytes: int = DEFAULT_CACHE_BYTES

    @property
    def url(self) -> str:
        """Of the service, with scheme and without the bucket."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"

    @property
    def restic(self) -> str:
        """What stock restic takes as `-r`."""
        return "/".join(part for part in (f"s3:{self.url}/{self.bucket}", self.prefix) if part)

    @property
    def place(self) -> tuple[str, str]:
        """(service and bucket, folder in it): two locations with the first equal can be nested by the second."""
        return f"{self.url}/{self.bucket}".lower(), f"/{self.prefix}"


def is_object_location(location: str) -> bool:
    return location.startswith("s3:")


def parse_object_location(location: str) -> ObjectLocation:
    """Raises `UsageError` that says which part is wrong. Credentials have no place here; they lie in the owner's `HOME/keys`."""
    if not location.startswith(SCHEME):
        raise UsageError(f"{location[:200]!r} is not a location in an object store", hint=_HINT)
    rest, _, query = location[len(SCHEME) :].partition("?")
    bucket, _, prefix = rest.partition("/")
    if _BUCKET.fullmatch(bucket) is None:
        raise UsageError(f"{bucket[:80]!r} cannot be a bucket", hint=_HINT)
    prefix = prefix.strip("/")
    for part in prefix.split("/") if prefix else ():
        if _PREFIX_PART.fullmatch(part) is None or part in (".", ".."):
            raise UsageError(f"{part[:80]!r} cannot be part of a prefix", hint="use letters, digits and `-_.=@+`, with `/` between")
    options = _options(query)
    style = options.get("style", "path")
    if style not in ("path", "virtual"):
        raise UsageError(f"style: {style[:40]!r} is not known", hint="write `path`, or `virtual` for BUCKET.HOST")
    region = options.get("region", DEFAULT_REGION)
    if _REGION.fullmatch(region) is None:
        raise UsageError(f"region: {region[:80]!r} is not a region", hint="write it like eu-central-1")
    return ObjectLocation(
        bucket=bucket,
        prefix=prefix,
        endpoint=_endpoint(options.get("endpoint", "")),
        region=region,
        virtual_hosts=style == "virtual",
        connections=_connections(options.get("connections", str(DEFAULT_CONNECTIONS))),
        limit_bytes_s=parse_rate_bytes_s(options["limit"]) if "limit" in options else None,
        cache_bytes=parse_size_bytes(options["cache"]) if "cache" in options else DEFAULT_CACHE_BYTES,
    )


def _options(query: str) -> dict[str, str]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except ValueError:
        raise UsageError(f"{query[:80]!r}: options are NAME=VALUE with `&` between", hint=_HINT) from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in OPTIONS:
            # The value is not repeated: it may be a secret that somebody put here by mistake.
            hint = f"the options are {', '.join(OPTIONS)}; keys belong in HOME/keys/NAME.s3 on the owner's machine"
            raise UsageError(f"a location has no option {name[:40]!r}", hint=hint)
        if name in found:
            raise UsageError(f"option {name!r} is there twice", hint="keep one of the two")
        found[name] = value
    return found


def _endpoint(text: str) -> str:
    if not text:
        return ""
    hint = "write it like https://s3.example.net or http://127.0.0.1:7480"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UsageError(f"endpoint: {text[:200]!r} is not a URL", hint=hint) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("endpoint: there are credentials in it", hint="keys belong in HOME/keys/NAME.s3 on the owner's machine")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(f"endpoint: {text[:200]!r} is not a URL of a host", hint=hint)
    if re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", parts.hostname) is None:
        raise UsageError(f"endpoint: {parts.hostname[:80]!r} cannot be a host", hint=hint)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def _connections(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= _MOST_CONNECTIONS:
        raise UsageError(f"connections: {text[:40]!r} is not a number", hint=f"write 1 to {_MOST_CONNECTIONS}")
    return int(text)
