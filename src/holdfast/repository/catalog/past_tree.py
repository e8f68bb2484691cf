"""A dataset's tree as it was at a commit, read from the catalog: what `Trees` reads from the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfast.core.errors import UnknownName
from holdfast.model.entry import Kind, display_path, walk_key
from holdfast.model.listing_questions import AskListing
from holdfast.repository.catalog.version_lookup import State, VersionLookup


@dataclass(frozen=True)
class PastTree:
    lookup: VersionLookup
    dataset: int
    commit_no: int

    def state(self, path: bytes) -> State | None:
        return self.lookup.at(self.dataset, self.commit_no, path)

    def named(self, path: bytes) -> State:
        """Raises `UnknownName` when it was not there."""
        state = self.state(path)
        if state is None:
            raise UnknownName(f"{display_path(path)} is not in this point", hint="look with `holdfast ls POINT`")
        return state

    def children(self, folder: bytes, after: bytes = b"") -> Iterator[State]:
        """The direct children of a folder (b"" = the root of all) in order, those up to the path `after` left out."""
        after_key = walk_key(after) if after else b""
        for state in self.lookup.children(self.dataset, self.commit_no, folder, _first_name(folder, after)):
            if walk_key(state.path) > after_key:
                yield state

    def below(self, folder: bytes, after: bytes = b"") -> Iterator[State]:
        """All below a folder in walk order, those up to the path `after` left out."""
        after_key = walk_key(after) if after else b""
        stack = [self._children_from(folder, after)]
        while stack:
            state = next(stack[-1], None)
            if state is None:
                stack.pop()
                continue
            key = walk_key(state.path)
            if key > after_key:
                yield state
            elif after_key != key and not after_key.startswith(key + b"\x00"):
                continue
            if state.kind is Kind.DIRECTORY:
                stack.append(self._children_from(state.path, after))

    def _children_from(self, folder: bytes, after: bytes) -> Iterator[State]:
        return self.lookup.children(self.dataset, self.commit_no, folder, _first_name(folder, after))


def _first_name(folder: bytes, after: bytes) -> bytes:
    """The name in `folder` that leads to `after`: names before it need not be looked at."""
    return after[len(folder) + 1 :].partition(b"/")[0] if after.startswith(folder + b"/") else b""


def listed_at(tree: PastTree, roots: Sequence[str], ask: AskListing) -> Iterator[State]:
    """What the question asks for; with an empty path the classification's `roots`. Raises `UnknownName` when the path was not there."""
    path = ask.path.rstrip(b"/") or ask.path[:1]
    if not path:
        return _roots(tree, roots, ask)
    if path == b"/":
        return tree.below(b"", ask.after) if ask.recursive else tree.children(b"", ask.after)
    state = tree.named(path)
    if ask.recursive:
        return tree.below(path, ask.after)
    if state.kind is not Kind.DIRECTORY:
        return iter(() if ask.after else (state,))
    return tree.children(path, ask.after)


def _roots(tree: PastTree, roots: Sequence[str], ask: AskListing) -> Iterator[State]:
    paths = sorted(root.encode("utf-8", "surrogatepass") for root in roots if root != "/")
    found = [state for path in paths if (state := tree.state(path)) is not None] or list(tree.children(b""))
    if not ask.recursive:
        yield from (state for state in found if not ask.after or state.path > ask.after)
        return
    after_key = walk_key(ask.after) if ask.after else b""
    last: bytes | None = None
    for state in sorted(found, key=lambda state: walk_key(state.path)):
        if last is not None and (state.path == last or state.path.startswith(last + b"/")):
            continue
        last = state.path
        if walk_key(state.path) > after_key:
            yield state
        yield from tree.below(state.path, ask.after)
