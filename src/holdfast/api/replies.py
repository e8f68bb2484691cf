"""Values as JSON: every field present, times in UTC with a Z, bytes in base64."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum
from functools import cache, partial
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from fastapi import Response

from holdfast.core.units import format_utc

_Convert = Callable[[Any], object]
Row = TypeVar("Row")
_ROWS_KEPT = 10_000


def plain(value: object) -> object:
    """The value as dicts, lists, texts and numbers, but for values that msgspec writes just so. Defaults are written out, which its own
    encoding leaves out of most."""
    convert = _converters.get(type(value)) or _converter_of(value)
    return convert(value)


def _converter_of(value: object) -> _Convert:
    """Found once for each type: the status of a large fleet has a hundred thousand values. Raises `TypeError` for what has no JSON form."""
    convert: _Convert | None = None
    if isinstance(value, msgspec.Struct):
        convert = _converter_of_struct(type(value))
    elif dataclasses.is_dataclass(value):
        names = tuple(field.name for field in dataclasses.fields(value))
        convert = partial(_of_dataclass, names)
    else:
        convert = next((convert for kind, convert in _BY_KIND if isinstance(value, kind)), None)
    if convert is None:
        raise TypeError(f"no JSON form for {type(value).__name__}")
    return _converters.setdefault(type(value), convert)


def _converter_of_struct(kind: type[msgspec.Struct]) -> _Convert:
    """Its fields are taken out at once; those that are by their type what JSON has need no further look."""
    hints = get_type_hints(kind)
    fields = tuple(zip(kind.__struct_encode_fields__, (_is_plain(hints[name]) for name in kind.__struct_fields__), strict=True))
    written = tuple(name for name, _ in fields)
    others = tuple(name for name, is_plain in fields if not is_plain)
    values = attrgetter(*kind.__struct_fields__) if len(fields) != 1 else lambda value: (getattr(value, kind.__struct_fields__[0]),)

    def convert(value: msgspec.Struct) -> dict[str, object]:
        found: dict[str, object] = dict(zip(written, values(value), strict=True))
        for name in others:
            found[name] = plain(found[name])
        return found

    return convert if fields else lambda _: {}


def _is_plain(hint: Any) -> bool:
    """Whether msgspec's own encoding of every value of this type is the one wanted. Of times it is not: their zone may be another."""
    hint = getattr(hint, "__supertype__", hint)
    if get_origin(hint) in (tuple, list):
        return all(each is Ellipsis or _is_plain(each) for each in get_args(hint))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _is_written_whole(hint)
    if get_origin(hint) in (Union, UnionType):
        return all(_is_plain(each) for each in get_args(hint))
    if get_origin(hint) is Literal:
        return all(type(each) is str for each in get_args(hint))
    return hint in (str, int, float, bool, NoneType)


@cache
def _is_written_whole(kind: type[msgspec.Struct]) -> bool:
    """Every field, and nothing else; a value of it may not be one of a subclass, which could be written in another way."""
    config = kind.__struct_config__
    if config.omit_defaults or config.tag is not None or config.array_like or kind.__subclasses__():
        return False
    return all(_is_plain(hint) for hint in get_type_hints(kind).values())


def _of_dataclass(names: Iterable[str], value: object) -> dict[str, object]:
    return {name: plain(getattr(value, name)) for name in names}


_BY_KIND: tuple[tuple[Any, _Convert], ...] = (
    # Before texts and numbers: a state is a text as well.
    (Enum, lambda value: value.value),
    (bool | int | float | str, lambda value: value),
    (datetime, format_utc),
    (msgspec.Raw, lambda value: value),
    (bytes, lambda value: base64.b64encode(value).decode()),
    (dict, lambda value: {str(key): plain(item) for key, item in value.items()}),
    (list | tuple | set | frozenset, lambda value: [plain(item) for item in value]),
)
_converters: dict[type, _Convert] = {NoneType: lambda _: None}


def raw_fields(value: msgspec.Struct) -> dict[str, Any]:
    """A value's own fields as they are, to make a wider value of them."""
    return {name: getattr(value, name) for name in value.__struct_fields__}


class Rows:
    """Encodings of rows of long lists, kept as long as the rows are asked for: who keeps an unchanged row as the same object
    (`master.judging.node_parts`) has it encoded once. What is kept belongs to the row and to nobody's list: which rows somebody is shown is
    decided before. Several threads may ask at once: at worst one of them encodes a row that another has encoded as well."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[object, bytes]] = {}
        self._before: dict[int, tuple[object, bytes]] = {}
        self._most = _ROWS_KEPT

    def __len__(self) -> int:
        return len(self._kept.keys() | self._before.keys())

    def encoded(self, rows: Sequence[Row], shown: Callable[[Row], object] = lambda row: row) -> msgspec.Raw:
        """As a list in JSON. `shown`: what is written of a row; the same for all rows of that type, whenever they are asked for."""
        kept, before = self._kept, self._before
        found: list[bytes] = []
        for row in rows:
            known = kept.get(id(row))
            if known is None or known[0] is not row:
                known = before.get(id(row))
                if known is None or known[0] is not row:
                    known = (row, msgspec.json.encode(plain(shown(row))))
                kept[id(row)] = known
            found.append(known[1])
        if len(kept) > self._most:
            # What nobody has asked for since the last time goes; there is room again for as many as are in use.
            self._before, self._kept, self._most = kept, {}, max(_ROWS_KEPT, 2 * len(kept.keys() & before.keys()))
        return msgspec.Raw(b"[" + b",".join(found) + b"]")


def reply(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(plain(value)), status_code=status, media_type="application/json")
