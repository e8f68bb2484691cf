"""Ways to mend what is one obvious edit away: a button of the console each. Pure: values as written in, edits out.

A fix takes away the diagnostic it belongs to; what is left to do shows in the next. What needs a thought has a hint and no fix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from holdfast.compiler.nearest import nearest
from holdfast.compiler.sketch import Sketch, keys_of, list_at, mapping_at, put, take, value_at, word, words_at
from holdfast.model.diagnostics import Diagnostic, Fix
from holdfast.model.edit import Path, Value

KEEP = {"hourly": 24, "daily": 30, "monthly": 12}
# A longer list is for reading; looking for names that are alike takes about a millisecond each.
_MOST_MENDED = 100
_MOST_FIXES = 6
_TIMES = ("every", "at", "schedule")


@dataclass(frozen=True)
class _Found:
    """A diagnostic in the values it was found in. `path`: the keys of its place. `flows`: those that fixes may draw in."""

    diagnostic: Diagnostic
    values: Value
    path: Path
    flows: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.diagnostic.where.name

    @property
    def written(self) -> str:
        return word(value_at(self.values, self.path))

    @property
    def sketch(self) -> Sketch:
        return Sketch(self.values, self.diagnostic.where.flow)

    def place(self, *keys: str) -> int | None:
        """The place in the list that stands behind `keys` in the path, as in `movers[1]`."""
        for index, step in enumerate(self.path):
            if isinstance(step, int) and self.path[index - len(keys) : index] == keys:
                return step
        return None

    @property
    def mover(self) -> int:
        return self.place("movers") or 0

    @property
    def operation(self) -> Path:
        policy, _, name = self.name.partition("/")
        return ("policies", policy, "operations", name)


def with_fixes(diagnostics: Iterable[Diagnostic], values: Value, flows: tuple[str, ...] | None = None) -> tuple[Diagnostic, ...]:
    """The same diagnostics, with fixes where there are some. `values`: the text they were found in. `flows`: those that were compiled."""
    drawn = tuple(mapping_at(values, "flows")) if flows is None else flows
    return tuple(_mended(diagnostic, values, drawn) if index < _MOST_MENDED else diagnostic for index, diagnostic in enumerate(diagnostics))


def _mended(diagnostic: Diagnostic, values: Value, flows: tuple[str, ...]) -> Diagnostic:
    find = FIXES.get(diagnostic.code)
    path = keys_of(diagnostic.where.path, values) if find else None
    if find is None or path is None:
        return diagnostic
    fixes = tuple(fix for fix in find(_Found(diagnostic, values, path, flows)) if fix.edits)[:_MOST_FIXES]
    return msgspec.structs.replace(diagnostic, fixes=fixes) if fixes else diagnostic


def _unknown_part(found: _Found) -> Iterator[Fix]:
    kind = found.diagnostic.code.removeprefix("unknown-")
    section = {"repository": "repositories", "policy": "policies"}.get(kind, f"{kind}s")
    yield from _use(found, nearest(found.written, mapping_at(found.values, section)))
    if kind == "node" and found.written:
        yield Fix(title=f"Add the node `{found.written}`", edits=(put("nodes", found.written, value={}),))


def _unknown_policy(found: _Found) -> Iterator[Fix]:
    policy, slash, operation = found.written.partition("/")
    if not slash:
        yield from _unknown_part(found)
        return
    better = nearest(policy, mapping_at(found.values, "policies"))
    if operation in mapping_at(found.values, "policies", better, "operations"):
        yield from _use(found, f"{better}/{operation}")
    yield from _off_the_mover(found)


def _unknown_operation(found: _Found) -> Iterator[Fix]:
    policy, slash, operation = found.written.partition("/")
    if not slash:
        policy, operation = str(found.path[1]), found.written
    better = nearest(operation, mapping_at(found.values, "policies", policy, "operations"))
    yield from _use(found, f"{policy}/{better}" if better and slash else better)
    yield from _off_the_mover(found)


def _unknown_vertex(found: _Found) -> Iterator[Fix]:
    yield from _use(found, nearest(found.written, found.sketch.vertices))
    yield found.sketch.drop_mover(found.mover)


def _use(found: _Found, name: str) -> Iterator[Fix]:
    if not name:
        return
    if name not in words_at(found.values, *found.path[:-1]):
        yield Fix(title=f"Use `{name}`", edits=(put(*found.path, value=name),))
    elif found.place("carries") is None:
        yield Fix(title=f"Take `{found.written}` out", edits=(take(*found.path),))


def _off_the_mover(found: _Found) -> Iterator[Fix]:
    at = found.place("carries")
    if at is not None:
        yield found.sketch.drop_carried(found.mover, at)


def _no_mover(found: _Found) -> Iterator[Fix]:
    yield found.sketch.drop_mover(found.mover)


def _not_carried(found: _Found) -> Iterator[Fix]:
    yield from _policy_not_carried(found) if found.diagnostic.where.kind == "vertex" else _operation_not_carried(found)


def _policy_not_carried(found: _Found) -> Iterator[Fix]:
    sketch, source = found.sketch, found.name
    for target in sketch.vertices:
        labels = [label for label in sketch.labels(source, target) if label.startswith(f"{found.written}/")]
        if labels:
            yield Fix(title=f"Carry `{found.written}` to `{target}`", edits=sketch.carry(source, target, labels))
    yield Fix(title=f"Take `{found.written}` off `{source}`", edits=(take(*found.path),))


def _operation_not_carried(found: _Found) -> Iterator[Fix]:
    policy = found.name.partition("/")[0]
    ways = [
        (sketch, source, target)
        for sketch in (Sketch(found.values, flow) for flow in found.flows)
        for source in sketch.vertices
        if policy in sketch.policies(source)
        for target in sketch.receivers(found.name)
    ]
    many_sources = len({source for _, source, _ in ways}) > 1
    for sketch, source, target in ways:
        origin = f" from `{source}`" if many_sources else ""
        flow = f" in flow `{sketch.flow}`" if len({each.flow for each, _, _ in ways}) > 1 else ""
        yield Fix(title=f"Carry it{origin} to `{target}`{flow}", edits=sketch.carry(source, target, [found.name]))
    if not _is_mentioned(found):
        yield Fix(title="Remove the operation", edits=(take(*found.operation),))


def _is_mentioned(found: _Found) -> bool:
    """Whether something would miss the operation, or the policy would have none."""
    operations = mapping_at(found.values, *found.operation[:-1])
    sketches = [Sketch(found.values, flow) for flow in mapping_at(found.values, "flows")]
    return (
        len(operations) < 2
        or any(mapping_at(operations, name).get("after") == found.operation[-1] for name in operations)
        or any(found.name in (*words_at(mover, "carries"), mapping_at(mover).get("after")) for each in sketches for mover in each.movers)
    )


def _unreachable(found: _Found) -> Iterator[Fix]:
    sketch, vertex = found.sketch, found.name
    for other in sketch.vertices:
        source, target = (vertex, other) if sketch.is_source(vertex) else (other, vertex)
        edits = sketch.carry(source, target, labels) if (labels := sketch.labels(source, target)) else ()
        if edits:
            title = f"Connect it to `{target}`" if source == vertex else f"Connect `{source}` to it"
            yield Fix(title=title, edits=edits)
    yield sketch.drop_vertex(vertex)


def _not_upstream(found: _Found) -> Iterator[Fix]:
    """What a mover carries does not come to where it begins: bring it there, or carry it no more."""
    sketch, label = found.sketch, found.written
    if found.place("carries") is None:
        yield from _left_out(found)
        return
    here, policy = sketch.end(found.mover, "from"), label.partition("/")[0]
    if sketch.is_source(here):
        policies = ("flows", sketch.flow, "vertices", here, "policies")
        known = list_at(found.values, *policies)
        edit = put(*policies, len(known), value=policy) if known else put(*policies, value=[policy])
        yield Fix(title=f"Add `{policy}` to the policies of `{here}`", edits=(edit,))
    elif sketch.kind(here) == "relay" or here in sketch.receivers(label):
        for source in sketch.vertices:
            if policy in sketch.policies(source) and sketch.mover_between(source, here) is not None:
                yield Fix(title=f"Carry it from `{source}` to `{here}`", edits=sketch.carry(source, here, [label]))
    yield from _off_the_mover(found)


def _dead_end(found: _Found) -> Iterator[Fix]:
    sketch, label = found.sketch, found.written
    relay = sketch.end(found.mover, "to")
    for target in sketch.receivers(label):
        yield Fix(title=f"Carry it on to `{target}`", edits=sketch.carry(relay, target, [label]))
    yield from _off_the_mover(found)


def _left_out(found: _Found) -> Iterator[Fix]:
    yield Fix(title=f"Leave `{found.path[-1]}` out", edits=(take(*found.path),))


def _continuous(found: _Found) -> Iterator[Fix]:
    yield Fix(title="Make it continuous", edits=(take(*found.path),))


def _keep(found: _Found) -> Iterator[Fix]:
    title = "Keep " + ", ".join(f"{count} {span}" for span, count in KEEP.items())
    yield Fix(title=title, edits=(put(*found.operation, "keep", value=KEEP),))


def _keep_longer(found: _Found) -> Iterator[Fix]:
    yield Fix(title="Keep the last 3 as well", edits=(put(*found.path, "last", value=3),))


def _hourly(found: _Found) -> Iterator[Fix]:
    yield _every_hour(found.values, found.operation)


def _nightly(found: _Found) -> Iterator[Fix]:
    yield Fix(title=f"Run `{found.operation[-1]}` every 24 hours", edits=(put(*found.operation, "every", value="24h"),))


def _hourly_policy(found: _Found) -> Iterator[Fix]:
    """The first of its operations that leaves a source; one that waits for another only when all do."""
    leaving = {
        label
        for sketch in (Sketch(found.values, flow) for flow in found.flows)
        for mover in range(len(sketch.movers))
        if sketch.is_source(sketch.end(mover, "from"))
        for label in words_at(sketch.movers, mover, "carries")
    }
    operations = mapping_at(found.values, "policies", found.name, "operations")
    names = [name for name in operations if f"{found.name}/{name}" in leaving]
    names.sort(key=lambda name: "after" in mapping_at(operations, name))
    for name in names[:1]:
        yield _every_hour(found.values, ("policies", found.name, "operations", name))


def _every_hour(values: Value, operation: Path) -> Fix:
    waiting = (take(*operation, "after"),) if "after" in mapping_at(values, *operation) else ()
    return Fix(title=f"Run `{operation[-1]}` every hour", edits=(*waiting, put(*operation, "every", value="1h")))


def _after_or_times(found: _Found) -> Iterator[Fix]:
    times = [key for key in _TIMES if key in mapping_at(found.values, *found.operation)]
    yield Fix(title="Keep `after`", edits=tuple(take(*found.operation, key) for key in times))
    yield Fix(title=f"Keep {' and '.join(f'`{key}`' for key in times)}", edits=(take(*found.operation, "after"),))


FIXES: dict[str, Callable[[_Found], Iterable[Fix]]] = {
    "option-not-of-kind": _left_out,
    "schedule-conflict": _after_or_times,
    "unknown-node": _unknown_part,
    "unknown-group": _unknown_part,
    "unknown-repository": _unknown_part,
    "unknown-schedule": _unknown_part,
    "unknown-policy": _unknown_policy,
    "unknown-operation": _unknown_operation,
    "unknown-vertex": _unknown_vertex,
    "bad-mover": _no_mover,
    "option-not-here": _left_out,
    "not-upstream": _not_upstream,
    "wrong-receiver": _off_the_mover,
    "mode-batch": _continuous,
    "cycle": _no_mover,
    "dead-end": _dead_end,
    "after-cycle": _hourly,
    "no-keep": _keep,
    "keep-shorter-than-rpo": _keep_longer,
    "nothing-scheduled": _hourly_policy,
    "schedule-idle": _hourly,
    "rides-with-points": _nightly,
    "not-carried": _not_carried,
    "unreachable-vertex": _unreachable,
}
