"""`python -m deb [--out DIR] [--revision N]`: builds the Debian package from this checkout and prints where it is."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deb.lock import MACHINES, ROOT
from deb.tree import Package, lay_out


def _source_date_epoch_s() -> int:
    """`SOURCE_DATE_EPOCH`, else the time of the newest commit, else that of the change log: never now."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        return int(given)
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else int((ROOT / "CHANGELOG.md").stat().st_mtime)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the package")
    parser.add_argument("--revision", type=int, default=1, help="Debian's number of this build of the version")
    parser.add_argument("--architecture", choices=sorted(MACHINES), help="default: this machine's")
    given = parser.parse_args()
    own = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
    package = Package(
        revision=given.revision, architecture=given.architecture or own, epoch_s=_source_date_epoch_s(), out=given.out.absolute()
    )
    with tempfile.TemporaryDirectory(prefix="holdfast-deb-") as scratch:
        root = Path(scratch) / "root"
        lay_out(package, root)
        package.out.mkdir(parents=True, exist_ok=True)
        command = ["dpkg-deb", "--root-owner-group", "--uniform-compression", "-Zzstd", "-z9", "--build", str(root), str(package.path)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(package.epoch_s), "LC_ALL": "C.UTF-8"}
        subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
    print(package.path)


if __name__ == "__main__":
    main()
