"""Pass `graph`: no way leads back to where it began."""

from __future__ import annotations

from holdfast.compiler.drawing import Drawing, DrawnMover, Key
from holdfast.compiler.report import Report


def check_cycles(drawing: Drawing, report: Report) -> None:
    """One diagnostic for each mover that closes a circle. A repository is one place in all flows, so circles across flows are found."""
    done: set[Key] = set()
    for start in drawing.leaving:
        if start not in done:
            _walk(start, drawing, done, report)


def _walk(start: Key, drawing: Drawing, done: set[Key], report: Report) -> None:
    """Depth first without recursion: `path` holds the vertices we are below, with what is left to follow from each."""
    path: dict[Key, list[DrawnMover]] = {start: list(drawing.leaving.get(start, ()))}
    while path:
        key, left = next(reversed(path.items()))
        if not left:
            done.add(key)
            del path[key]
            continue
        mover = left.pop(0)
        target = mover.target.key
        if target in path:
            names = [name for _, name in list(path)[list(path).index(target) :]]
            way = " -> ".join([*names, target[1]])
            report.add("cycle", mover.where(), f"data would run in a circle: {way}", "take one of these movers off")
        elif target not in done:
            path[target] = list(drawing.leaving.get(target, ()))
