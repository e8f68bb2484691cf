"""Where a mirror keeps what: templates and maps become folders."""

from __future__ import annotations

import posixpath

from holdfast.compiler.drawing import DrawnVertex
from holdfast.model.document import Policy

Targets = tuple[tuple[str, str], ...]


class NoTarget(Exception):
    """Some root of a classification has no place in the mirror. Never leaves the pass."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def mirror_targets(vertex: DrawnVertex, policy: Policy, node: str) -> Targets:
    """Each root of the classification with its folder. `{path}` is the root without its first slash."""
    roots, drawn = policy.classification.paths, vertex.vertex
    if drawn.path_map:
        missing = [root for root in roots if root not in drawn.path_map]
        if missing:
            raise NoTarget(f"the map does not say where {missing[0]} of policy `{policy.name}` goes", f"add `{missing[0]}: FOLDER`")
        return tuple((root, _filled(drawn.path_map[root], policy, node, root)) for root in roots)
    if len(roots) > 1 and "{path}" not in drawn.path:
        hint = "put {path} into it, like /srv/mirror/{path}, or write a map of path to folder"
        raise NoTarget(f"policy `{policy.name}` has {len(roots)} paths, and the mirror one folder for all", hint)
    return tuple((root, _filled(drawn.path, policy, node, root)) for root in roots)


def _filled(template: str, policy: Policy, node: str, root: str) -> str:
    path = template.replace("{path}", root.strip("/")).replace("{node}", node).replace("{policy}", policy.name)
    return "/" + posixpath.normpath(path).lstrip("/")


def side_folder(mirror: str) -> str:
    """Where kept removals and temporary files of a mirror live: beside it."""
    parent, name = posixpath.split(mirror)
    return posixpath.join(parent, f".holdfast-{name}")
