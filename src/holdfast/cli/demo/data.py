"""The demo's data: a copy of real files, and the edits made to it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from holdfast.core.errors import UsageError

# What a Python installation keeps beside its library: other people's packages, compiled twins, its own tests, parts for building.
_NOT_LIBRARY = ("site-packages", "dist-packages", "__pycache__", "test", "config-*")


@dataclass(frozen=True)
class Edits:
    """What was done to the data between the two runs, in numbers."""

    added: int
    changed: int
    renamed: int
    deleted: int
    chmodded: int

    def sentence(self) -> str:
        return f"added {self.added}, changed {self.changed}, renamed {self.renamed}, deleted {self.deleted}, chmod on {self.chmodded}"


def copy_data(source: Path, target: Path) -> int:
    """Copy a folder with all attributes; the original is never touched. Returns the number of regular files."""
    if not source.is_dir():
        raise UsageError(f"{source} is not a folder", hint="holdfast demo PATH, with a folder of some hundred files")
    target.parent.mkdir(parents=True, exist_ok=True)
    copy_tree(source, target)
    return len(regular_files(target))


def copy_standard_library(target: Path) -> int:
    """Copy Python's own library, real files that every machine has. Returns the number of regular files."""
    library = Path(os.__file__).parent
    shutil.copytree(library, target, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_LIBRARY))
    return len(regular_files(target))


def copy_tree(source: Path, target: Path) -> None:
    """A second copy to compare with later."""
    subprocess.run(["cp", "-a", "--reflink=auto", "--", str(source), str(target)], check=True)


def regular_files(folder: Path) -> list[Path]:
    found = [Path(base) / name for base, _, names in os.walk(folder) for name in names]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def edit_data(folder: Path) -> Edits:
    """Add, change, rename, delete and chmod a few of everything, always the same ones for the same data."""
    files = [path for path in regular_files(folder) if path.stat().st_nlink == 1]
    if len(files) < 10:
        raise UsageError(f"{folder} holds only {len(files)} files", hint="give the demo a folder with at least ten files")
    step = max(1, len(files) // 100)
    some = files[::step]
    changed, renamed, deleted, chmodded = some[0::4], some[1::4], some[2::4], some[3::4]
    new = folder / "added by the demo"
    new.mkdir()
    for number in range(20):
        (new / f"note {number}.txt").write_text(f"line of file {number}\n" * (number * 50 + 1))
    for path in changed:
        with path.open("ab") as file:
            file.write(b"\n# changed by the demo\n")
    for path in renamed:
        path.rename(path.with_name(path.name + ".renamed"))
    for path in deleted:
        path.unlink()
    for path in chmodded:
        path.chmod((path.stat().st_mode ^ 0o110) & 0o7777)
    return Edits(added=20, changed=len(changed), renamed=len(renamed), deleted=len(deleted), chmodded=len(chmodded))
