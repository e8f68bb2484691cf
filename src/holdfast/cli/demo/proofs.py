"""Comparisons that must find nothing. Each returns one line for the report and raises `ProofFailed` otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from holdfast.cli.demo.scratch import Scratch
from holdfast.core.errors import HoldfastError
from holdfast.host.compare import compare_trees
from holdfast.model.questions import RepositoryEnv


class ProofFailed(HoldfastError):
    """Two things that must be equal are not."""

    code = "proof-failed"


def prove_equal(expected: Path, actual: Path, what: str) -> str:
    """Every byte and attribute, by our own comparison."""
    differences = list(compare_trees(os.fsencode(expected), os.fsencode(actual)))
    if differences:
        shown = "\n".join(f"  {difference}" for difference in differences[:10])
        raise ProofFailed(f"{what}: {len(differences)} differences\n{shown}")
    return f"{what}: every byte and attribute equal"


def prove_by_rsync(source: Path, mirror: Path) -> str:
    """`rsync -nac --delete` between source and mirror lists nothing."""
    rsync = shutil.which("rsync")
    if rsync is None:
        return "mirror by rsync: not proven, rsync is not installed"
    command = [rsync, "-nacHAX", "--delete", "--itemize-changes", f"{source}/", f"{mirror}/"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode or result.stdout.strip():
        raise ProofFailed(f"rsync finds differences between {source} and {mirror}:\n{result.stdout[:2000]}{result.stderr[:500]}")
    return "mirror by rsync -nacHAX --delete: nothing to do"


def prove_by_restic(name: str, env: RepositoryEnv, expected: Path, place: Scratch) -> list[str]:
    """Stock restic checks the repository, every byte read, and restores its newest point equal."""
    restic = shutil.which("restic")
    if restic is None:
        return [f"repository {name} by restic: not proven, restic is not installed"]
    cache, target = place.folder / "restic-cache", place.folder / f"restic-restored-{name}"
    access = {"RESTIC_REPOSITORY": env.location, "RESTIC_PASSWORD": env.password, "RESTIC_CACHE_DIR": str(cache)}
    environment = {**os.environ, **access, **env.variables}
    lines = []
    for arguments, claim in (
        (["check", "--no-lock", "--read-data"], "no errors, every byte read"),
        (["restore", "--no-lock", "latest", "--target", str(target)], "newest point restored"),
    ):
        result = subprocess.run([restic, *arguments], env=environment, capture_output=True, text=True, check=False)
        if result.returncode:
            raise ProofFailed(f"restic {arguments[0]} of {name} failed:\n{result.stdout[-1500:]}{result.stderr[-1500:]}")
        lines.append(f"repository {name} by restic {arguments[0]}: {claim}")
    lines.append(prove_equal(expected, target / str(expected_path(expected)), f"repository {name} restored by restic"))
    place.discard(target)
    return lines


def expected_path(path: Path) -> Path:
    """The path as it stands below a restore's target."""
    return path.relative_to("/")
