"""A source that is followed, in the tests of it: its document, how it does, and edits of it by chance."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast.testing.random_edits import RandomEdits
from tests.e2e.world import World, rsync_differences

_DOCUMENT = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}, dr: {{}}}}
repositories:
  main: {{node: vault, location: {folder}/disk/main}}
policies:
  documents:
    classification: {{paths: [{folder}/data]}}
    operations:
{operations}
      replicate: {{removed: follow}}
flows:
  office:
    vertices:
      files: {{node: files1, policies: [documents]}}
      store: {{repository: main}}
{vertices}
    movers:
      - {{from: files, to: store, carries: [{carries}]}}
{movers}
"""
COPY = {"mirror": "vault"}


def document(folder: Path, operations: Mapping[str, str], mirrors: Mapping[str, str] = COPY) -> str:
    """The folder `data` of files1, with these operations into a repository of the vault, and mirrored to folders of these names on these
    nodes, as it changes."""
    return _DOCUMENT.format(
        folder=folder,
        operations="\n".join(f"      {name}: {options}" for name, options in operations.items()),
        vertices="\n".join(f"      {name}: {{mirror: {node}, path: {folder}/{name}}}" for name, node in mirrors.items()),
        carries=", ".join(f"documents/{name}" for name in operations),
        movers="\n".join(f"      - {{from: files, to: {name}, carries: [documents/replicate], mode: continuous}}" for name in mirrors),
    )


def following(world: World) -> dict[str, Any]:
    """How the dataset is followed; empty before anybody has said."""
    rows: list[dict[str, Any]] = world.client.get("/status")["following"]
    return rows[0] if rows else {}


def is_following(world: World) -> bool:
    return following(world).get("state") == "following"


def edits_in(world: World, seed: int) -> RandomEdits:
    outside = world.folder / "outside"
    outside.mkdir()
    return RandomEdits(random.Random(seed), world.folder / "data", outside)


def differences(one: Path, other: Path) -> list[str]:
    """Symbolic links with several names are kept one by one, as restic does."""
    return [line for line in rsync_differences(one, other).splitlines() if line and not line.startswith("hL")]


def is_delivered(world: World) -> bool:
    """Whether the mirror is equal. Every receiver gets the same commits."""
    try:
        return not differences(world.folder / "data", world.folder / "mirror")
    except subprocess.CalledProcessError:
        # What it looked at was renamed meanwhile.
        return False
