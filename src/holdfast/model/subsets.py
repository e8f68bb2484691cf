"""A part of what a mover could carry (`only`): some datasets, some paths of them. Pure.

A commit of a part is another state than the commit of the whole, so it bears an epoch of its own (`epoch_of_part`). From it everybody can
tell what of the source's commits has passed, and that a commit of another part is no base to build on.
See docs/decisions/0039-parts-of-a-dataset.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from holdfast.core.ids import Epoch

_LINE = 16


def paths_in(only: Sequence[str]) -> tuple[str, ...]:
    """The entries of `only` that are paths."""
    return tuple(entry for entry in only if entry.startswith("/"))


def names_in(only: Sequence[str]) -> tuple[str, ...]:
    """The entries of `only` that name sources (`NODE`) or datasets (`NODE/POLICY`)."""
    return tuple(entry for entry in only if not entry.startswith("/"))


def takes(only: Sequence[str], node: str, policy: str) -> bool:
    """Whether the dataset of this policy on this node is among what `only` names."""
    names = names_in(only)
    return not names or node in names or f"{node}/{policy}" in names


def part_of(roots: Sequence[str], paths: Sequence[str]) -> tuple[str, ...]:
    """What of `roots` lies at or below `paths` (none = all of it): roots and paths inside roots, none within another, sorted."""
    if not paths:
        return tuple(roots)
    met = {path for root in roots for path in paths if is_inside(path, root)} | {
        root for root in roots for path in paths if is_inside(root, path)
    }
    return tuple(sorted(path for path in met if not any(path != other and is_inside(path, other) for other in met)))


def epoch_of_part(epoch: Epoch, paths: Sequence[str]) -> Epoch:
    """The epoch that commits of this part of the commits of `epoch` bear; no paths = the whole, and the same epoch."""
    if not paths:
        return epoch
    told = "".join(f"{path}\0" for path in sorted(set(paths)))
    return Epoch(epoch[:_LINE] + sha256(f"{epoch}\0{told}".encode("utf-8", "surrogateescape")).hexdigest()[:_LINE])


def line_of(epoch: Epoch) -> str:
    """What an epoch and those of all parts of its commits have in common: along it `seq` means the same."""
    return epoch[:_LINE]


def is_inside(path: str, folder: str) -> bool:
    """Whether a clean absolute path is `folder` or lies below it: what `entry.is_below` says of paths that are bytes."""
    return path == folder or folder == "/" or path.startswith(folder + "/")


def holds_all(roots: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether each of the wanted paths is one of the roots or lies below one."""
    return all(any(is_inside(path, root) for root in roots) for path in wanted)
