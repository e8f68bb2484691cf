"""What a cascade takes out of a repository: the difference of two points, of all that they hold or of a part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from holdfast.model.entry import Kind
from holdfast.model.points import Point
from holdfast.model.stream import Outgoing
from holdfast.repository.answers.questions import roots_in, roots_named
from holdfast.repository.answers.reading import Step, TreeReader, outgoing_between, parents_of
from holdfast.repository.damage_met import read_of
from holdfast.repository.interior import Interior


@dataclass(frozen=True)
class Totals:
    """Of a part of a point: how many files, and how large they are, counted as a capture counts: every name of a file with several."""

    files: int
    size_bytes: int


def outgoing_point(interior: Interior, point: Point, trees: tuple[bytes | None, bytes], within: Sequence[str] | None) -> Iterator[Outgoing]:
    """From one tree (None = nothing) to that of `point`, in walk order, with the parents of the roots; of both only what lies at or below
    the paths `within`, where they are given."""
    before, tree = trees
    part = None if within is None else roots_named(within)
    roots = roots_in(interior.trees, tree, point.paths) if part is None else part
    return outgoing_between(interior, Step(point.seq, before, tree, parents_of(roots), part), read_of(point))


def totals_in(interior: Interior, point: Point, tree: bytes, within: Sequence[str]) -> Totals:
    """What lies at or below these paths, where they are there."""
    with closing(TreeReader(interior, tree, read_of(point))) as reader:
        there = [root for root in roots_named(within) if root == b"/" or interior.trees.node_at(tree, root) is not None]
        sizes = [entry.size_bytes for entry in reader.entries(there) if entry.kind is Kind.FILE] if there else []
        return Totals(len(sizes), sum(sizes))
