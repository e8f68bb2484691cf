"""restic, borg and rsync, each through its command line as its users run it, and a bare loop as a lower limit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.contender import Contender, bytes_below
from bench.figures import Probe, finished_children_cpu_s, with_descendants


class _Tool:
    """A command that is run to its end, one at a time."""

    name = ""

    def __init__(self, scratch: Path, data: Path) -> None:
        self._scratch = scratch / self.name
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch.mkdir()
        self._errors = (self._scratch / "errors").open("ab")
        self.probe = Probe(finished_children_cpu_s, self._pids)

    @property
    def _environment(self) -> dict[str, str]:
        return {}

    def stored_bytes(self) -> int:
        return bytes_below(self._scratch / "store")

    def close(self) -> None:
        self._errors.close()

    def _pids(self) -> set[int]:
        process = self._process
        return set() if process is None else with_descendants([process.pid])

    def _run(self, *command: str, folder: Path | None = None) -> None:
        environment = {**os.environ, **self._environment}
        self._process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=self._errors)
        code = self._process.wait()
        self._process = None
        if code != 0:
            words = (self._scratch / "errors").read_text(errors="replace")
            raise SystemExit(f"{' '.join(command)} ended with {code}: {words[-2000:]}")


class Restic(_Tool):
    name = "restic"

    def __init__(self, scratch: Path, data: Path) -> None:
        super().__init__(scratch, data)
        self._restic("init")

    @property
    def _environment(self) -> dict[str, str]:
        folder = self._scratch
        return {
            "RESTIC_REPOSITORY": str(folder / "store"),
            "RESTIC_PASSWORD": "x",
            "RESTIC_FROM_PASSWORD": "x",
            "RESTIC_CACHE_DIR": str(folder / "cache"),
        }

    @property
    def stages(self) -> Mapping[str, Callable[[], None]]:
        return {
            **dict.fromkeys(("first", "unchanged", "changed"), lambda: self._restic("backup", str(self._data))),
            "restore": lambda: self._restic("restore", "latest", "--target", str(self._scratch / "restored")),
            "check": lambda: self._restic("check", "--read-data"),
            "forget-and-prune": lambda: self._restic("forget", "--keep-last", "1", "--prune"),
            "cascade": self._cascade,
        }

    def _cascade(self) -> None:
        far = str(self._scratch / "far")
        self._restic("init", "--repo", far)
        self._restic("copy", "--repo", far, "--from-repo", str(self._scratch / "store"), "latest")

    def _restic(self, *arguments: str) -> None:
        self._run("restic", "--quiet", *arguments)


class Borg(_Tool):
    name = "borg"

    def __init__(self, scratch: Path, data: Path) -> None:
        super().__init__(scratch, data)
        self._number = 0
        self._run("borg", "init", "--encryption", "repokey-blake2", str(self._scratch / "store"))

    @property
    def _environment(self) -> dict[str, str]:
        return {"BORG_BASE_DIR": str(self._scratch / "base"), "BORG_PASSPHRASE": "x"}

    @property
    def stages(self) -> Mapping[str, Callable[[], None]]:
        return {
            **dict.fromkeys(("first", "unchanged", "changed"), self._create),
            "restore": self._extract,
            "check": lambda: self._run("borg", "check", "--verify-data", str(self._scratch / "store")),
            "forget-and-prune": self._prune,
        }

    def _create(self) -> None:
        self._number += 1
        self._run("borg", "create", "--compression", "zstd,3", f"{self._scratch / 'store'}::{self._number}", str(self._data))

    def _prune(self) -> None:
        self._run("borg", "prune", "--keep-last", "1", str(self._scratch / "store"))
        self._run("borg", "compact", str(self._scratch / "store"))

    def _extract(self) -> None:
        target = self._scratch / "restored"
        target.mkdir()
        self._run("borg", "extract", f"{self._scratch / 'store'}::{self._number}", folder=target)


class Rsync(_Tool):
    """Keeps a plain copy: a lower limit for the rest."""

    name = "rsync"

    @property
    def stages(self) -> Mapping[str, Callable[[], None]]:
        copy = dict.fromkeys(("first", "unchanged", "changed"), lambda: self._copy(self._data, self._scratch / "store"))
        return {**copy, "restore": lambda: self._copy(self._scratch / "store", self._scratch / "restored")}

    def _copy(self, source: Path, target: Path) -> None:
        self._run("rsync", "-aHAX", "--delete", f"{source}/", f"{target}/")


class Bare(_Tool):
    """See `bench.bare`."""

    name = "bare"

    @property
    def stages(self) -> Mapping[str, Callable[[], None]]:
        store = self._scratch / "store"
        return {
            "first": lambda: self._bare("store", self._data, store),
            "restore": lambda: self._bare("restore", store, self._scratch / "restored"),
        }

    def _bare(self, act: str, source: Path, target: Path) -> None:
        self._run(sys.executable, "-m", "bench.bare", act, str(source), str(target))


def open_peer(name: str, scratch: Path, data: Path) -> Contender | None:
    """None when it is not installed."""
    if name == Bare.name:
        return Bare(scratch, data)
    known: dict[str, type[Restic | Borg | Rsync]] = {"restic": Restic, "borg": Borg, "rsync": Rsync}
    return known[name](scratch, data) if shutil.which(name) else None
