"""YAML text as a tree of nodes with their places, nothing interpreted.

Built from the parser's events, without recursion and without aliases, so that hostile text cannot blow up. Scalars keep the text as
written: the grammar is typed, so `zone: NO` is the word NO and never a boolean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from holdfast.compiler.codes import diagnose
from holdfast.model.diagnostics import Diagnostic, Where

MAX_TEXT_BYTES = 4 << 20
MAX_DEPTH = 20
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
# An edit reads the text before and after, then parses what came of it, and the next edit begins there: reading takes nearly all the time
# of that (0.4 s for 2,000 nodes), and most sections are the same. A tree needs about 50 times the memory of its text.
_KEPT_TREES = 3
_KEPT_SECTIONS = 14
_LARGEST_KEPT = 512 << 10
# A section begins where a line begins with a letter. Of texts with anything else there, or other ends of lines, nothing is taken apart.
_SECTION = re.compile(r"^[A-Za-z]", re.MULTILINE)
_NOT_APART = re.compile(r"^[^A-Za-z#\s]|[\r\x85\u2028\u2029]", re.MULTILINE)
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, NotImplementedError, AssertionError)


@dataclass(frozen=True, slots=True)
class Span:
    """`line` and `column` count from 1; `start` and `end` are offsets in the text (of a block collection: to the end of its last value)."""

    line: int
    column: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Base:
    """Where in the text a section begins: the lines and characters before it."""

    line: int
    offset: int

    def span(self, start: Any, end: int) -> Span:
        """`start`: a mark within the section; `end`: an offset in the text."""
        return Span(self.line + start.line + 1, start.column + 1, self.offset + start.index, end)


@dataclass(frozen=True, slots=True)
class Scalar:
    """`plain`: written without quotes, not as a block."""

    text: str
    plain: bool
    span: Span

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Tree, ...]
    flow: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Entry:
    key: Scalar
    value: Tree


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: tuple[Entry, ...]
    flow: bool
    span: Span

    def get(self, key: str) -> Tree | None:
        return next((entry.value for entry in self.entries if entry.key.text == key), None)


Tree = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Loaded:
    """`root` is None when the text is empty or there are diagnostics."""

    root: Tree | None
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet. For a mapping, `parts` holds keys and values in turn."""

    mapping: bool
    event: Any
    parts: list[Tree] = field(default_factory=list)


class _Refused(Exception):
    def __init__(self, code: str, message: str, hint: str, mark: Any) -> None:
        self.diagnostic = diagnose(code, Where(path="", line=mark.line + 1, column=mark.column + 1), message, hint)


def load_tree(text: str) -> Loaded:
    """Never raises; the first problem that makes the rest unreadable ends it. Trees of the last few texts are kept."""
    return _load(text) if len(text) > _LARGEST_KEPT else _load_kept(text)


def _load(text: str) -> Loaded:
    if len(text) > MAX_TEXT_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        where = Where(path="", line=1, column=1)
        return Loaded(None, (diagnose("too-large", where, "the document is larger than 4 MiB", "use groups by tags"),))
    try:
        return Loaded(_by_sections(text) or _build(text))
    except _Refused as refused:
        return Loaded(None, (refused.diagnostic,))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Loaded(None, (_syntax(str(error.problem or error.context or "it cannot be read"), line, column),))
    except YAMLError as error:
        return Loaded(None, (_syntax(str(error).splitlines()[0], 1, 1),))
    except _UNREADABLE:
        # The YAML scanner trips over some hostile input (escapes beyond Unicode, odd directives) in ways of its own.
        return Loaded(None, (_syntax("it cannot be read", 1, 1),))


_load_kept = lru_cache(maxsize=_KEPT_TREES)(_load)


def _syntax(message: str, line: int, column: int) -> Diagnostic:
    hint = "look at quotes, colons and indentation at and before this line"
    return diagnose("yaml-syntax", Where(path="", line=line, column=column), message, hint)


def _by_sections(text: str) -> Mapping | None:
    """The tree made of the trees of the sections, or None where the text cannot be taken apart (what is broken, too, is read as a whole).

    A section that is a block mapping by itself is the same one within the text: a quote, bracket or block that goes on beyond it could
    not be read without its end.
    """
    starts = [match.start() for match in _SECTION.finditer(text)]
    if len(starts) < 2 or len(text) > _LARGEST_KEPT or _NOT_APART.search(text):
        return None
    found: list[Mapping] = []
    for start, end in pairwise((0, *starts[1:], len(text))):
        try:
            section = _section(text[start:end], Base(text.count("\n", 0, start), start))
        except (_Refused, YAMLError, *_UNREADABLE):
            return None
        if not isinstance(section, Mapping) or section.flow or section.span.column != 1:
            return None
        found.append(section)
    first, last = found[0].span, found[-1].span
    return Mapping(tuple(entry for section in found for entry in section.entries), False, Span(first.line, 1, first.start, last.end))


def _build(text: str, base: Base = Base(0, 0)) -> Tree | None:
    root: Tree | None = None
    stack: list[_Open] = []
    for event in YAML(typ="safe", pure=True).parse(text):
        kind = type(event).__name__
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            _refuse_tag(event)
            if len(stack) >= MAX_DEPTH:
                raise _Refused("too-deep", f"nested deeper than {MAX_DEPTH} levels", "nothing here needs that", event.start_mark)
            _refuse_as_key(stack, event)
            stack.append(_Open(kind == "MappingStartEvent", event))
            continue
        if kind == "ScalarEvent":
            done: Tree = _scalar(event, base)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            done = _close(stack.pop(), event, base)
        elif kind == "AliasEvent":
            raise _Refused("yaml-alias", "aliases are not read", "write the value out where it is meant", event.start_mark)
        elif kind == "DocumentStartEvent" and root is not None:
            raise _Refused("yaml-syntax", "a second document begins here", "keep one document in a file", event.start_mark)
        else:
            continue
        if stack:
            stack[-1].parts.append(done)
        else:
            root = done
    return None if isinstance(root, Scalar) and root.is_null else root


_section = lru_cache(maxsize=_KEPT_SECTIONS)(_build)


def _refuse_tag(event: Any) -> None:
    if event.tag is not None:
        raise _Refused("yaml-tag", f"the tag {event.tag} is not read", "leave the tag out", event.start_mark)


def _refuse_as_key(stack: list[_Open], event: Any) -> None:
    if stack and stack[-1].mapping and len(stack[-1].parts) % 2 == 0:
        raise _Refused("yaml-syntax", "a key must be a plain word", "look at quotes, colons and brackets", event.start_mark)


def _scalar(event: Any, base: Base) -> Scalar:
    start, end = event.start_mark, event.end_mark
    _refuse_tag(event)
    text = event.value
    if _NOT_TEXT.search(text):
        raise _Refused("yaml-syntax", "a character that is not text", "names that are not UTF-8 cannot be written here", start)
    return Scalar(text, event.style is None, base.span(start, end.index + base.offset))


def _end_of(parts: list[Tree]) -> int:
    """Where a block collection ends. A value that is not there is marked behind the comments that follow; its key is what counts."""
    last = parts[-1].span
    return parts[-2].span.end if last.start == last.end and len(parts) > 1 else last.end


def _close(opened: _Open, event: Any, base: Base) -> Tree:
    start, parts = opened.event.start_mark, opened.parts
    flow = bool(opened.event.flow_style)
    end = event.end_mark.index + base.offset if flow or not parts else _end_of(parts)
    span = base.span(start, end)
    if not opened.mapping:
        return Sequence(tuple(parts), flow, span)
    keys, values = parts[::2], parts[1::2]
    entries = tuple(Entry(key, value) for key, value in zip(keys, values, strict=True) if isinstance(key, Scalar))
    return Mapping(entries, flow, span)
