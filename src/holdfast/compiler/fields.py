"""Typed reading of one mapping of the document: each method reads one key, notes what is wrong, and goes on with the default."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from holdfast.compiler.nearest import nearest_hint
from holdfast.compiler.notes import At, Notes
from holdfast.compiler.yaml_tree import Mapping, Scalar, Sequence, Tree
from holdfast.core.errors import UsageError
from holdfast.core.units import parse_duration_s, parse_rate_bytes_s, parse_size_bytes

T = TypeVar("T")
C = TypeVar("C", bound=str)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_INTEGER = re.compile(r"[0-9]{1,9}")
_LONGEST_S = 1000 * 31_536_000.0
_LARGEST_BYTES = 1 << 60
_LONGEST_UNIT_TEXT = 40


def listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


class Fields:
    """The keys of `tree` at `at`. Says at once if it is no mapping, which keys are unknown and which stand twice.

    A missing value counts as an empty mapping (`files1:` alone on its line). `parts`: the kind of the things that the keys name.
    """

    def __init__(self, notes: Notes, at: At, tree: Tree | None, known: tuple[str, ...] | None, parts: str = "") -> None:
        self.notes = notes
        self.at = at
        self._parts = parts
        self.span = tree.span if tree is not None else None
        self._values: dict[str, Tree] = {}
        if tree is None or (isinstance(tree, Scalar) and tree.is_null):
            return
        if not isinstance(tree, Mapping):
            notes.add("wrong-type", at, tree.span, f"here must be keys with values, not {_is(tree)}", _mapping_hint(known))
            self.span = None  # said once; what is missing in it need not be said as well
            return
        for entry in tree.entries:
            self._take(entry.key, entry.value, known)

    def _take(self, key: Scalar, value: Tree, known: tuple[str, ...] | None) -> None:
        at = self._at(key.text)
        if known is not None and key.text not in known:
            has = f"here can be {listed(known)}"
            if not self.notes.is_full:
                has = f"{nearest_hint(key.text, known, '')} {has}".strip()
            self.notes.add("unknown-key", at, key.span, f"there is no key `{key.text[:80]}` here", has)
        elif key.text in self._values:
            self.notes.add("duplicate-key", at, key.span, f"`{key.text[:80]}` stands here twice", "keep one of them")
        else:
            self.notes.see(at, key.span)
            self._values[key.text] = value

    def _at(self, key: str) -> At:
        at, kind = self.at.key(key), self._parts
        if not kind:
            return at
        return At(at.path, kind, f"{at.name}/{key}" if kind == "operation" else key, key if kind == "flow" else at.flow)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def keys(self) -> tuple[str, ...]:
        return tuple(self._values)

    def get(self, key: str) -> Tree | None:
        return self._values.get(key)

    def bad(self, code: str, key: str, message: str, hint: str = "") -> None:
        """A problem with the value of `key` (or with the mapping, when the key is missing)."""
        span = self._values[key].span if key in self._values else self.span
        if span is not None:
            self.notes.add(code, self.at.key(key) if key in self._values else self.at, span, message, hint)

    def require(self, *keys: str) -> bool:
        """Notes `missing-key` for each of `keys` that is not there."""
        missing = [key for key in keys if key not in self._values]
        for key in missing:
            self.bad("missing-key", key, f"`{key}` is missing", f"add `{key}:`")
        return not missing

    def child(self, key: str, known: tuple[str, ...] | None) -> Fields:
        return Fields(self.notes, self.at.key(key), self._values.get(key), known)

    def named(self, key: str, kind: str) -> Iterator[tuple[str, At, Tree]]:
        """The parts of a section: name, place and value of each; names that are none are noted and left out."""
        section = Fields(self.notes, self.at.key(key), self._values.get(key), None, parts=kind)
        for name, value in section._values.items():
            at = section._at(name)
            if NAME.fullmatch(name):
                yield name, at, value
            else:
                hint = "letters, digits, `.`, `_` and `-`, at most 63, the first a letter or digit"
                self.notes.add("bad-name", at, value.span, f"{name[:80]!r} cannot be a name", hint)

    def is_empty_list(self, key: str) -> bool:
        tree = self._values.get(key)
        return isinstance(tree, Sequence) and not tree.items

    def text(self, key: str, default: str = "") -> str:
        tree = self._values.get(key)
        if tree is None:
            return default
        if isinstance(tree, Scalar) and not tree.text:
            self.bad("wrong-type", key, f"`{key}` is not filled in", "type it, or choose it in the drawing")
            return default
        if not isinstance(tree, Scalar) or tree.is_null:
            self.bad("wrong-type", key, f"`{key}` must be a text, not {_is(tree)}", "write one word, or a text in quotes")
            return default
        return tree.text

    def name(self, key: str) -> str:
        """A text that is a name (of something elsewhere)."""
        found = self.text(key)
        if found and not NAME.fullmatch(found):
            self.bad("bad-name", key, f"{found[:80]!r} cannot be a name", "letters, digits, `.`, `_` and `-`, at most 63")
            return ""
        return found

    def items(self, key: str) -> tuple[Tree, ...]:
        tree = self._values.get(key)
        if tree is None:
            return ()
        if not isinstance(tree, Sequence):
            hint = f"write `{key}: [{tree.text}]`" if isinstance(tree, Scalar) and tree.text else f"write `{key}: [one, two]`"
            self.bad("wrong-type", key, f"`{key}` must be a list, not {_is(tree)}", hint)
            return ()
        return tree.items

    def texts(self, key: str, check: Callable[[str], tuple[str, str, str] | None] | None = None) -> tuple[str, ...]:
        """A list of texts. `check` gives (code, message, hint) for a text that is none."""
        found = []
        for index, item in enumerate(self.items(key)):
            at = self.at.key(key).index(index)
            self.notes.see(at, item.span)
            if not isinstance(item, Scalar) or item.is_null or not item.text:
                self.notes.add("wrong-type", at, item.span, f"here must be a text, not {_is(item)}", "write one word, or a text in quotes")
            elif check is not None and (problem := check(item.text)) is not None:
                self.notes.add(problem[0], at, item.span, problem[1], problem[2])
            else:
                found.append(item.text)
        return tuple(found)

    def names(self, key: str) -> tuple[str, ...]:
        return self.texts(key, _not_a_name)

    def choice(self, key: str, choices: tuple[C, ...], default: C) -> C:
        found = self.text(key, default)
        for choice in choices:
            if found == choice:
                return choice
        self.bad("bad-value", key, f"`{key}` cannot be `{found[:80]}`", nearest_hint(found, choices, "") + f" one of {listed(choices)}")
        return default

    def is_on(self, key: str) -> bool:
        """Unless it is written otherwise."""
        tree = self._values.get(key)
        if isinstance(tree, Scalar) and tree.plain and tree.text in ("true", "false"):
            return tree.text == "true"
        if tree is not None:
            self.bad("wrong-type", key, f"`{key}` must be true or false, not {_is(tree)}", "write true or false, without quotes")
        return True

    def integer(self, key: str) -> int | None:
        """A whole number from 1."""
        tree = self._values.get(key)
        if isinstance(tree, Scalar) and tree.plain and _INTEGER.fullmatch(tree.text):
            if int(tree.text) > 0:
                return int(tree.text)
            self.bad("bad-value", key, f"`{key}` must be at least 1", "leave it out for none")
        elif tree is not None:
            self.bad("wrong-type", key, f"`{key}` must be a whole number, not {_is(tree)}", "write it like 24")
        return None

    def duration_s(self, key: str) -> float | None:
        """Seconds, at least 1."""
        seconds = self._unit(key, "bad-duration", parse_duration_s)
        if seconds is not None and not 1 <= seconds <= _LONGEST_S:
            self.bad("bad-value", key, f"`{key}` must be between 1 second and 1000 years", "write it like 90s, 5m, 1h, 30d or 7y")
            return None
        return seconds

    def size_bytes(self, key: str) -> int | None:
        size = self._unit(key, "bad-size", parse_size_bytes)
        if size is not None and size > _LARGEST_BYTES:
            self.bad("bad-value", key, f"`{key}` is larger than anything there is", "write it like 50MB or 1.5GiB")
            return None
        return size

    def rate_bytes_s(self, key: str) -> int | None:
        rate = self._unit(key, "bad-rate", parse_rate_bytes_s)
        if rate is not None and rate > _LARGEST_BYTES:
            self.bad("bad-value", key, f"`{key}` is faster than anything there is", "leave it out for no limit")
            return None
        return rate

    def _unit(self, key: str, code: str, parse: Callable[[str], T]) -> T | None:
        text = self.text(key)
        if not text:
            return None
        try:
            return parse(text[:_LONGEST_UNIT_TEXT])
        except UsageError as error:
            self.bad(code, key, f"`{key}`: {error.message}", error.hint)
            return None


def _not_a_name(text: str) -> tuple[str, str, str] | None:
    if NAME.fullmatch(text):
        return None
    return "bad-name", f"{text[:80]!r} cannot be a name", "letters, digits, `.`, `_` and `-`, at most 63"


def _is(tree: Tree) -> str:
    if isinstance(tree, Sequence):
        return "a list"
    if isinstance(tree, Mapping):
        return "keys with values"
    return "nothing" if tree.is_null else f"`{tree.text[:40]}`"


def _mapping_hint(known: tuple[str, ...] | None) -> str:
    return f"write `KEY: VALUE` with {listed(known)}" if known else "write `NAME: {...}`, one name a line"
