"""Watching trees: what has changed below some roots, told as it happens. Knows Linux, knows nothing of datasets.

`open_watch(request)` gives a `Watch`; `watch.take()` gives batches of facts. `Settling` holds back names that are still being written,
`OpenFiles` finds the files whose changes no kernel tells.

Glossary
--------
dirty       "look at this": a path is not, or may not be, what it was. Never to be replayed: events merge in the kernel and lose their
            order, so a fact says where to look and the file system says what is there. What it says beyond the path are hints.
scope       how far to look: `NAME` = at this name, `TREE` = at it and at all that is below it
move        a dirty fact with `moved_from`: what is at `path` was there before, as inode `inode`. Whoever has that inode recorded at
            `moved_from` may move what it has recorded instead of reading it again; whoever has not, looks at the whole of `path`.
gap         a span in which changes below a path may have been missed: look at all of it, and say that versions may be missing
root        a file or folder to watch; it may be missing, come later, be unmounted or be replaced
cut         a path below a root that is not watched; of a path and its folders the longest that is a root or a cut decides
territory   roots and cuts together: which paths are watched
ground      one file system as far as the territory reaches into it; each has a queue of its own, so that a gap stays small
listener    one kernel queue: `fanotify` for a whole file system, `inotify` for folder by folder
coverage    which listener watches which ground, why no better one, and what it does not see
suspect     a file held open for writing or mapped writable: its content may change without a fact

Contract
--------
* What changes after `open_watch` has returned is told by a dirty fact, or lies below a gap. What was true before is the matter of a scan
  that begins after it. A folder that appears is watched before it is told.
* Roots and cuts are real paths, with no symbolic link on the way.
* A fact comes after the change, and looking after a fact finds the change or a later one. In a batch gaps come first, then moves in
  the order they happened, then the rest in no order. Apply all moves, then look. Facts of one path merge.
* A name that comes or goes changes the times of its folder too; that is not told apart.
* A folder that was moved or removed has the scope `TREE`, at its old and at its new path. Names below it may be told at the old path.
* Symbolic links are names like any other; nobody follows them. Who looks must not either: a folder on the way may have become one.
* A file with several names is told under the one that was used. Its other names are found by inode: by the one that is there, by the one
  that was known there before, or by the one in the fact.
* A path outside the territory (or none, where it cannot be seen) is told only with the inode of a file that may have a name inside.
* `Watch.sync` returns when all that changed before the call is in the facts.
"""

from holdfast.host.watch.facts import (
    Aspect,
    Batch,
    Coverage,
    Dirty,
    Gap,
    Means,
    Reason,
    Scope,
    Shortfall,
    WatchRequest,
    Who,
)
from holdfast.host.watch.open_files import OpenFiles, Suspects
from holdfast.host.watch.settling import Settling
from holdfast.host.watch.watching import Watch, open_watch

__all__ = [
    "Aspect",
    "Batch",
    "Coverage",
    "Dirty",
    "Gap",
    "Means",
    "OpenFiles",
    "Reason",
    "Scope",
    "Settling",
    "Shortfall",
    "Suspects",
    "Watch",
    "WatchRequest",
    "Who",
    "open_watch",
]
