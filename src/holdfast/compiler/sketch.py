"""One flow as it is written, before anything is understood: what fixes look at, and the edits they are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.model.diagnostics import Fix
from holdfast.model.edit import Edit, Path, Value
from holdfast.model.operations import SPECS

_INDEX = re.compile(r"\[([0-9]{1,9})\]\.?")


def keys_of(path: str, values: Value) -> Path | None:
    """The keys of a path like `flows.office.movers[0].to`; None when it leads nowhere. As names may have dots in them, what is there
    decides."""
    if not path:
        return ()
    if isinstance(values, list):
        match = _INDEX.match(path)
        if match is None or int(match.group(1)) >= len(values):
            return None
        rest = keys_of(path[match.end() :], values[int(match.group(1))])
        return None if rest is None else (int(match.group(1)), *rest)
    if isinstance(values, dict):
        for end in (*(match.start() for match in re.finditer(r"[.[]", path)), len(path)):
            if path[:end] in values:
                rest = keys_of(path[end:].removeprefix("."), values[path[:end]])
                if rest is not None:
                    return (path[:end], *rest)
    return None


def value_at(values: Value, path: Path) -> Value:
    """None where nothing is."""
    for step in path:
        if isinstance(step, str) and isinstance(values, dict):
            values = values.get(step)
        elif isinstance(step, int) and isinstance(values, list) and step < len(values):
            values = values[step]
        else:
            return None
    return values


def word(value: Value) -> str:
    """What was written for a name: the values of `12` and `true` are no text. Empty for what is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def words_at(values: Value, *path: str | int) -> list[str]:
    return list(map(word, list_at(values, *path)))


def mapping_at(values: Value, *path: str | int) -> dict[str, Value]:
    found = value_at(values, path)
    return found if isinstance(found, dict) else {}


def list_at(values: Value, *path: str | int) -> list[Value]:
    found = value_at(values, path)
    return found if isinstance(found, list) else []


def put(*path: str | int, value: Value) -> Edit:
    return Edit(op="set", path=path, value=value)


def take(*path: str | int) -> Edit:
    return Edit(op="remove", path=path)


def receiver_of(values: Value, label: str) -> str:
    """The kind of vertex that takes an operation `POLICY/OPERATION`; empty when there is no such."""
    policy, _, name = label.partition("/")
    operations = mapping_at(values, "policies", policy, "operations")
    kind = word(mapping_at(operations, name).get("operation", name)) if name in operations else ""
    return SPECS[kind].receiver if kind in SPECS else ""


class Sketch:
    """`vertices` and `movers` are the values as written."""

    def __init__(self, values: Value, flow: str) -> None:
        self.values, self.flow = values, flow
        self.vertices = mapping_at(values, "flows", flow, "vertices")
        self.movers = list_at(values, "flows", flow, "movers")

    def kind(self, vertex: str) -> str:
        written = mapping_at(self.vertices, vertex)
        return next((kind for kind in ("node", "group", "repository", "mirror", "relay") if kind in written), "")

    def is_source(self, vertex: str) -> bool:
        return self.kind(vertex) in ("node", "group")

    def policies(self, vertex: str) -> list[str]:
        return words_at(self.vertices, vertex, "policies") if self.is_source(vertex) else []

    def end(self, mover: int, key: str) -> str:
        """The vertex at `from` or `to`."""
        return word(mapping_at(self.movers, mover).get(key))

    def mover_between(self, source: str, target: str) -> int | None:
        ends = (source, target)
        return next((index for index in range(len(self.movers)) if (self.end(index, "from"), self.end(index, "to")) == ends), None)

    def receivers(self, label: str) -> Iterator[str]:
        """Vertices that can keep the operation."""
        wanted = receiver_of(self.values, label)
        return (vertex for vertex in self.vertices if wanted and self.kind(vertex) == wanted)

    def labels(self, source: str, target: str) -> list[str]:
        """Operations of the source's policies that the target can keep."""
        found = []
        for policy in self.policies(source):
            for name in mapping_at(self.values, "policies", policy, "operations"):
                if receiver_of(self.values, f"{policy}/{name}") == self.kind(target):
                    found.append(f"{policy}/{name}")
        return found

    def carry(self, source: str, target: str, labels: list[str]) -> tuple[Edit, ...]:
        """On the mover that is there, or on a new one."""
        movers, index = ("flows", self.flow, "movers"), self.mover_between(source, target)
        if index is None:
            return (put(*movers, len(self.movers), value={"from": source, "to": target, "carries": labels}),)
        carried = list_at(self.movers, index, "carries")
        new = [label for label in labels if label not in carried]
        return tuple(put(*movers, index, "carries", len(carried) + at, value=label) for at, label in enumerate(new))

    def drop_mover(self, index: int) -> Fix:
        return Fix(title="Remove the mover", edits=(take("flows", self.flow, "movers", index),))

    def drop_carried(self, index: int, at: int) -> Fix:
        """A mover that would carry nothing goes."""
        carried = list_at(self.movers, index, "carries")
        if len(carried) < 2:
            return self.drop_mover(index)
        return Fix(title=f"Take `{carried[at]}` off the mover", edits=(take("flows", self.flow, "movers", index, "carries", at),))

    def drop_vertex(self, vertex: str) -> Fix:
        """With the movers that touch it, the last first: so places in the list stay true."""
        touching = [index for index in range(len(self.movers)) if vertex in (self.end(index, "from"), self.end(index, "to"))]
        movers = tuple(take("flows", self.flow, "movers", index) for index in reversed(touching))
        return Fix(title="Remove it", edits=(*movers, take("flows", self.flow, "vertices", vertex)))
