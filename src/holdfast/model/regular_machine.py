"""Matching a regular expression in one pass over the text: Thompson's construction, with the deterministic machine built as it is used.

Every character of the text is looked at once, whatever the expression: there is no backtracking, and so no expression that takes for ever.
The source of the method: Ken Thompson, "Regular expression search algorithm", CACM 11 (1968).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from holdfast.core.errors import UsageError
from holdfast.model.regular_syntax import CharSet, Choice, Edge, Part, Repeat, Row, Sign, parse_regular

_MOST_NODES = 1_000
_MOST_STEPS = 50_000
_BEGIN, _END = -1, -2
"""Edges of the machine that are open at the beginning of the text, or at its end, alone."""


class Regular:
    """An expression, ready to be looked for. Not for several threads at once."""

    def __init__(self, text: str, *, fold: bool = False) -> None:
        """Raises `UsageError`, which says at which character, or that it is too large."""
        part = parse_regular(text, fold=fold)
        self.literals = tuple(sorted(_literals(part)[1], key=len, reverse=True))
        """Texts that every match has in it, longest first."""
        self._nodes = _Nodes()
        self._first = self._nodes.add(part, self._nodes.new())
        self._known: dict[frozenset[int], _State] = {}
        self._steps = 0
        self._start = self._begin()

    def is_in(self, text: str) -> bool:
        """Whether some part of the text matches."""
        state = self._start
        for sign in text:
            state = state[sign]
        return state.accepts or self._accepts_at_end(state, is_start=not text)

    def _begin(self) -> _State:
        return self._state(self._nodes.closure([self._first], begin=True))

    def _state(self, nodes: frozenset[int]) -> _State:
        found = self._known.get(nodes)
        if found is None:
            found = self._known[nodes] = _State(self, nodes)
        return found

    def step(self, state: _State, sign: str) -> _State:
        """Where this character leads; remembered."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            # Begin anew rather than grow: texts are short, and what is needed again is soon there again.
            self._known, self._steps = {}, 0
            self._start = self._begin()
        if state.accepts:
            behind = state
        else:
            reached = [self._nodes.to[node] for node in state.nodes if self._nodes.takes(node, sign)]
            behind = self._state(self._nodes.closure([*reached, self._first]))
        state[sign] = behind
        return behind

    def _accepts_at_end(self, state: _State, *, is_start: bool) -> bool:
        if state.at_end is None or is_start:
            found = 0 in self._nodes.closure(state.nodes, begin=is_start, end=True)
            if is_start:
                return found
            state.at_end = found
        return state.at_end


class _State(dict[str, "_State"]):
    """Where one can be after some text: what comes next leads on."""

    __slots__ = ("accepts", "at_end", "machine", "nodes")

    def __init__(self, machine: Regular, nodes: frozenset[int]) -> None:
        super().__init__()
        self.machine = machine
        self.nodes = nodes
        self.accepts = 0 in nodes
        self.at_end: bool | None = None

    def __missing__(self, sign: str) -> _State:
        return self.machine.step(self, sign)


class _Nodes:
    """Nodes by number: 0 is the end. Each either takes a character and leads to one other, or leads to others without one."""

    def __init__(self) -> None:
        self._signs: list[str | CharSet | None] = []
        self.to: list[int] = []
        self._free: list[tuple[int, ...]] = []
        self._guards: list[int] = []

    def new(self, sign: str | CharSet | None = None, to: int = 0, free: tuple[int, ...] = (), guard: int = 0) -> int:
        if len(self.to) >= _MOST_NODES:
            raise UsageError("the regular expression is too large", hint="count less with { }", place="name")
        self._signs.append(sign)
        self.to.append(to)
        self._free.append(free)
        self._guards.append(guard)
        return len(self.to) - 1

    def takes(self, node: int, sign: str) -> bool:
        wanted = self._signs[node]
        return wanted == sign if isinstance(wanted, str) else wanted is not None and wanted.has(sign)

    def add(self, part: Part, behind: int) -> int:
        """The node where `part` begins that leads to `behind` in the end."""
        match part:
            case Sign():
                return self.new(part.of, to=behind)
            case Edge():
                return self.new(free=(behind,), guard=_END if part.at_end else _BEGIN)
            case Row():
                for each in reversed(part.parts):
                    behind = self.add(each, behind)
                return behind
            case Choice():
                return self.new(free=tuple(self.add(each, behind) for each in part.parts))
            case Repeat():
                return self._add_repeat(part, behind)

    def _add_repeat(self, part: Repeat, behind: int) -> int:
        at = behind
        if part.most is None:
            at = self.new()
            self._free[at] = (self.add(part.part, at), behind)
        else:
            for _ in range(part.most - part.least):
                at = self.new(free=(self.add(part.part, at), behind))
        for _ in range(part.least):
            at = self.add(part.part, at)
        return at

    def closure(self, nodes: Iterable[int], *, begin: bool = False, end: bool = False) -> frozenset[int]:
        """All that can be reached without a character; of these, those that matter: the end, those that take one, and `$`."""
        seen = set(nodes)
        left = list(seen)
        while left:
            node = left.pop()
            guard = self._guards[node]
            if (guard == _BEGIN and not begin) or (guard == _END and not end):
                continue
            for other in self._free[node]:
                if other not in seen:
                    seen.add(other)
                    left.append(other)
        return frozenset(node for node in seen if node == 0 or self._signs[node] is not None or self._guards[node] == _END)


def _literals(part: Part) -> tuple[str | None, list[str]]:
    """The text that it is, if it is but one, and texts that are in every match."""
    match part:
        case Sign():
            return (part.of, [part.of]) if isinstance(part.of, str) else (None, [])
        case Edge():
            return "", []
        case Row():
            return _literals_of_row(part.parts)
        case Choice():
            return None, []
        case Repeat():
            exact, found = _literals(part.part)
            return (exact, found) if part.least == part.most == 1 else (None, found if part.least else [])


def _literals_of_row(parts: Sequence[Part]) -> tuple[str | None, list[str]]:
    runs, found, is_exact = [""], [], True
    for each in parts:
        exact, inside = _literals(each)
        if exact is None:
            is_exact = False
            found += inside
            runs.append("")
        else:
            runs[-1] += exact
    return ("".join(runs) if is_exact else None), found + [run for run in runs if run]
