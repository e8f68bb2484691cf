"""Two versions of real packages of Debian, from the sources that this machine has, put into a root of their own by the real dpkg."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = ("git-man", "libpython3.11-stdlib")
"""Nearly all files of the one are compressed, of the other texts. Neither has a script that runs before it is unpacked."""
_DOWNLOAD_S = 60


def two_versions(folder: Path) -> tuple[list[Path], list[Path]]:
    """Of each of `PACKAGES` the files of the newest version but one and of the newest, downloaded to `folder`.

    Skips the test on a machine that cannot have them, and says why.
    """
    if any(shutil.which(tool) is None for tool in ("apt-get", "apt-cache", "dpkg")):
        pytest.skip("needs apt and dpkg: packages are upgraded as Debian does it")
    told = subprocess.run(["apt-cache", "madison", *PACKAGES], capture_output=True, text=True).stdout
    lines = [[field.strip() for field in line.split("|")] for line in told.splitlines()]
    versions = {package: list(dict.fromkeys(line[1] for line in lines if line[0] == package))[:2] for package in PACKAGES}
    if lacking := [package for package, known in versions.items() if len(known) < 2]:
        pytest.skip(f"needs two versions of {', '.join(lacking)} in the package sources: as root, apt-get update")
    _download(folder, [f"{package}={version}" for package, known in versions.items() for version in known])
    old, new = ([_file(folder, package, known[place]) for package, known in versions.items()] for place in (1, 0))
    return old, new


def _download(folder: Path, wanted: list[str]) -> None:
    folder.mkdir()
    command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=0", "download", *wanted]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_DOWNLOAD_S)
    except subprocess.TimeoutExpired:
        pytest.skip(f"needs the package sources: they did not send {', '.join(wanted)} within {_DOWNLOAD_S} seconds")
    if done.returncode != 0:
        pytest.skip(f"needs the package sources: {done.stderr.strip()[-300:]}")


def _file(folder: Path, package: str, version: str) -> Path:
    (file,) = folder.glob(f"{package}_{version.replace(':', '%3a')}_*.deb")
    return file


def unpack(root: Path, packages: list[Path]) -> None:
    """Into `root`, over what is there of another version: each file is a new one that is renamed into place."""
    records = root / "var/lib/dpkg"
    for folder in ("info", "updates"):
        (records / folder).mkdir(parents=True, exist_ok=True)
    (records / "status").touch()
    means = ["--force-depends", "--force-not-root", "--force-bad-path", "--log=/dev/null", "--no-debsig"]
    done = subprocess.run(["dpkg", f"--root={root}", *means, "--unpack", *map(str, packages)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
