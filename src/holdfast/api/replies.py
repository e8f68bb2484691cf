"""Values as JSON: every field present, times in UTC with a Z, bytes in base64."""

from __future__ import annotations

import base64
import dataclasses
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec
from fastapi import Response

from holdfast.core.units import format_utc


def plain(value: object) -> object:
    """The value as dicts, lists, texts and numbers. Defaults are written out, which msgspec's own encoding leaves out here."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return format_utc(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return fields(value)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise TypeError(f"no JSON form for {type(value).__name__}")


def fields(value: msgspec.Struct) -> dict[str, object]:
    """A value's own fields as plain JSON, to be put beside others."""
    names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
    return {written: plain(getattr(value, name)) for name, written in names}


def raw_fields(value: msgspec.Struct) -> dict[str, Any]:
    """A value's own fields as they are, to make a wider value of them."""
    return {name: getattr(value, name) for name in value.__struct_fields__}


def reply(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(plain(value)), status_code=status, media_type="application/json")
