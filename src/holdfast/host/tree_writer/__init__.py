"""Writing below one root and never outside it, also while somebody plants symbolic links there.

Glossary
--------
writer      `TreeWriter`: folders, files, links, devices, removals below one root
relative    a path below the root: bytes, no leading slash; b"" is the root itself
draft       a file being written under a temporary name, invisible until it is finished (`Draft`)
sparse      which ranges of a file to write when it has holes (`data_ranges`)

Every folder is opened component by component with O_NOFOLLOW, relative to the folder above it. A folder that is renamed while it is
open is written to at its new place; a symbolic link is never followed.
"""

from holdfast.host.tree_writer.draft import Draft, data_ranges
from holdfast.host.tree_writer.faults import store_error
from holdfast.host.tree_writer.looking import listing
from holdfast.host.tree_writer.syncing import start_syncing, sync_paths
from holdfast.host.tree_writer.writer import TreeWriter

__all__ = ["Draft", "TreeWriter", "data_ranges", "listing", "start_syncing", "store_error", "sync_paths"]
