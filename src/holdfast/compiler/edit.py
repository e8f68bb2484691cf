"""Edits of the document's text that touch nothing else: every other byte, comment and blank line stays as it is.

The text is not written anew from values; pieces are put into it at places the parser knows.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from holdfast.compiler.edit_text import scalar_text
from holdfast.compiler.fields import NAME
from holdfast.compiler.parse import parse_document
from holdfast.compiler.parse_places import clean_path, path_problem
from holdfast.compiler.yaml_tree import Mapping, Scalar, Tree, load_tree
from holdfast.core.errors import Conflict, InvalidDocument, UsageError
from holdfast.core.units import parse_duration_s
from holdfast.model.diagnostics import Diagnostic, Level
from holdfast.model.document import Document, Policy, RepositoryEntry

EVERY = "1h"
KEEP = "{hourly: 24, daily: 30, monthly: 12}"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A folder of a node to be protected in a repository at a place of that node. `every`: how often a point is due, empty = as it is where
    the folder is protected there already, else `EVERY`; `cdp`: for how long every moment can be restored, empty = only points can."""

    node: str
    path: str
    location: str
    every: str = ""
    cdp: str = ""


def protect(text: str, wish: Wish, repository_name: str) -> str:
    """The text with a policy, a repository and a flow between them, as wished.

    What is there already is used: the node, a repository in the same place, and, when the path goes to that repository already, everything
    (the text comes back as it was). Names are made unique. Raises `InvalidDocument` when the text, or what would come of it, is none,
    `UsageError` for a path or duration that is none, `Conflict` when the policy that is there says something else than is wished.
    """
    document = _parsed(text)
    node, every, cdp = wish.node, wish.every or EVERY, wish.cdp
    for duration in (every, cdp) if cdp else (every,):
        parse_duration_s(duration)
    if problem := path_problem(wish.path):
        raise UsageError(problem[1], hint=problem[2])
    path, location = clean_path(wish.path), wish.location if "://" in wish.location else clean_path(wish.location)
    repository = _repository_there(document, node, location)
    if repository is not None and (there := _protection(document, node, path, repository.name)) is not None:
        _refuse_other_promises(next(each for each in document.policies if each.name == there.policy), wish)
        return text
    policy = _free(_name_from(path), {each.name for each in document.policies})
    flow = _free(f"protect-{policy}"[:60], {each.name for each in document.flows})
    store = repository.name if repository else _free(repository_name, {each.name for each in document.repositories})
    if all(each.name != node for each in document.nodes):
        text = add_entry(text, "nodes", node, "{}")
    if repository is None:
        text = add_entry(text, "repositories", store, f"{{node: {scalar_text(node)}, location: {scalar_text(location)}}}")
    operations = f"operations:\n  backup: {{every: {every}, keep: {KEEP}}}" + (f"\n  cdp: {{within: {cdp}}}" if cdp else "")
    text = add_entry(text, "policies", policy, f"classification: {{paths: [{scalar_text(path)}]}}\n{operations}")
    source = f"{{node: {scalar_text(node)}, policies: [{scalar_text(policy)}]}}"
    carries = f"{policy}/backup, {policy}/cdp" if cdp else f"{policy}/backup"
    vertices = f"vertices:\n  source: {source}\n  store: {{repository: {scalar_text(store)}}}"
    text = add_entry(text, "flows", flow, f"{vertices}\nmovers:\n  - {{from: source, to: store, carries: [{carries}]}}")
    _parsed(text)
    return text


@dataclass(frozen=True, kw_only=True)
class Protection:
    """By which names of the document a path is protected."""

    flow: str
    policy: str
    repository: str


def protection_at(document: Document, wish: Wish) -> Protection | None:
    """What `protect` made or found for this wish."""
    location = wish.location if "://" in wish.location else clean_path(wish.location)
    repository = _repository_there(document, wish.node, location)
    return None if repository is None else _protection(document, wish.node, clean_path(wish.path), repository.name)


def _refuse_other_promises(policy: Policy, wish: Wish) -> None:
    """The policy may be somebody's own by now, so it is not changed; but nobody is to think that it does what it does not."""
    every = {use.when.every_s for use in policy.operations if use.kind == "backup"}
    within = {use.within_s for use in policy.operations if use.kind == "cdp"}
    for asked, there, what in ((wish.every, every, "a point every"), (wish.cdp, within, "every moment of")):
        if asked and parse_duration_s(asked) not in there:
            raise Conflict(
                f"{wish.path} is protected there already, by the policy {policy.name!r}, which does not say {what} {asked}",
                hint=f"change the policy {policy.name}: in the console, or with `holdfast export` and `holdfast apply --activate`",
            )


def _parsed(text: str) -> Document:
    parsed = parse_document(text)
    if parsed.document is None:
        raise InvalidDocument(_first_error(parsed.diagnostics), hint="mend the document first, with `holdfast export` and `holdfast apply`")
    return parsed.document


def _first_error(diagnostics: tuple[Diagnostic, ...]) -> str:
    first = next(each for each in diagnostics if each.level is Level.ERROR)
    return f"line {first.where.line}: {first.message}"


def _repository_there(document: Document, node: str, location: str) -> RepositoryEntry | None:
    return next((each for each in document.repositories if (each.node, each.location) == (node, location)), None)


def _protection(document: Document, node: str, path: str, repository: str) -> Protection | None:
    exact = {each.name for each in document.policies if each.classification.paths == (path,)}
    for flow in document.flows:
        vertices = {vertex.name: vertex for vertex in flow.vertices}
        for mover in flow.movers:
            source, target = vertices.get(mover.source), vertices.get(mover.target)
            if source is None or target is None or source.node != node or target.repository != repository:
                continue
            carried = (each.partition("/")[0] for each in mover.carries)
            policy = next((each for each in carried if each in exact & set(source.policies)), None)
            if policy is not None:
                return Protection(flow=flow.name, policy=policy, repository=repository)
    return None


def _name_from(path: str) -> str:
    """The last part of the path, made a name; `root` for `/`."""
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", posixpath.basename(path)).strip(".-_")
    return cleaned[:50] if NAME.fullmatch(cleaned[:50]) else "root" if path == "/" else "data"


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(f"{name}-{number}" for number in range(2, len(taken) + 3) if f"{name}-{number}" not in taken)


def add_entry(text: str, section: str, name: str, value: str) -> str:
    """The text with `name` as the last entry of a section. `value` is YAML: one line in flow style, or a block to be indented below
    the name. A section that is missing is added at the end.
    """
    loaded = load_tree(text)
    root = loaded.root
    if loaded.diagnostics or not (root is None or isinstance(root, Mapping)):
        raise InvalidDocument("the document cannot be read", hint="mend it first, with `holdfast export` and `holdfast apply`")
    if root is not None and root.flow:
        return _into_flow(text, root, section, name, value)
    entry = next((entry for entry in root.entries if entry.key.text == section), None) if root else None
    if entry is None:
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}{section}:\n{_block(name, value, 2)}"
    tree = entry.value
    if isinstance(tree, Mapping) and not tree.flow:
        return _after_line(text, tree.span.end, _block(name, value, tree.span.column - 1))
    if isinstance(tree, Mapping) and tree.entries:
        piece = f", {scalar_text(name)}: {_one_line(value)}"
        last = tree.entries[-1].value.span.end
        return text[:last] + piece + text[last:]
    if not isinstance(tree, Mapping) and not (isinstance(tree, Scalar) and tree.is_null):
        raise InvalidDocument(f"`{section}` is no mapping", hint="mend the document first")
    # `section:`, `section: {}` or `section: ~`: what stands there goes, a comment behind it stays.
    start, end = tree.span.start, tree.span.end
    if start == end:
        start = end = entry.key.span.end + 1
    emptied = text[:start].rstrip(" ") + text[end:]
    return _after_line(emptied, len(text[:start].rstrip(" ")), _block(name, value, entry.key.span.column + 1))


def _into_flow(text: str, root: Mapping, section: str, name: str, value: str) -> str:
    """The whole document is one `{...}`."""
    tree: Tree | None = root.get(section)
    piece = f"{scalar_text(name)}: {_one_line(value)}"
    if tree is None:
        outer, inner = root, f"{section}: {{{piece}}}"
    elif isinstance(tree, Mapping):
        outer, inner = tree, piece
    else:
        return text[: tree.span.start] + f"{{{piece}}}" + text[tree.span.end :]
    at = outer.entries[-1].value.span.end if outer.entries else outer.span.start + 1
    return text[:at] + (", " if outer.entries else "") + inner + text[at:]


def _block(name: str, value: str, indent: int) -> str:
    margin = " " * indent
    lines = value.splitlines()
    if len(lines) == 1:
        return f"{margin}{scalar_text(name)}: {value}\n"
    return f"{margin}{scalar_text(name)}:\n" + "".join(f"{margin}  {line}\n" for line in lines)


def _one_line(value: str) -> str:
    """A block of ours as flow style: it is made of lines `key: {...}`, `key:` with deeper lines, and `- {...}`."""
    if "\n" not in value:
        return value
    parts: list[str] = []
    lines = value.splitlines()
    for index, line in enumerate(lines):
        if line.startswith(" "):
            continue
        inner = []
        for following in lines[index + 1 :]:
            if not following.startswith(" "):
                break
            inner.append(following.strip())
        if inner and inner[0].startswith("- "):
            parts.append(f"{line} [{', '.join(each[2:] for each in inner)}]")
        else:
            parts.append(f"{line} {{{', '.join(inner)}}}" if inner else line)
    return "{" + ", ".join(parts) + "}"


def _after_line(text: str, offset: int, block: str) -> str:
    """Put `block` on the lines after the one that holds `offset`."""
    end = text.find("\n", offset)
    if end < 0:
        return f"{text}\n{block}"
    return text[: end + 1] + block + text[end + 1 :]
