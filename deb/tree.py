"""Lays the package out as one folder tree, for `dpkg-deb`: files, their modes and times, and what `DEBIAN/` holds."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from deb.lock import LOCK, MACHINES, PYTHON, ROOT, wheel_choice
from deb.man_pages import completions, man_pages
from holdfast import __version__
from holdfast.cli.service_units import SERVICES, unit_name, unit_text

FILES = ROOT / "deb/files"
_LIBRARY = f"usr/lib/holdfast/lib/python{PYTHON}/site-packages"
_OVERRIDES = "usr/share/lintian/overrides/holdfast"
_SCRIPTS = ("prerm", "postinst", "postrm")
_CONFIGURATION = {"limits.toml": "etc/holdfast/limits.toml", "logrotate": "etc/logrotate.d/holdfast"}
_LAUNCHER = """\
#!/usr/lib/holdfast/bin/python3 -I
from holdfast.cli.main import main

main()
"""
# A wheel's own record of how pip came by it names the folder of the build; scripts of libraries are nobody's commands here.
_UNWANTED = ("direct_url.json", "REQUESTED", "INSTALLER", "RECORD")


@dataclass(frozen=True, kw_only=True)
class Package:
    """What is built. `epoch_s`: the time of every file in it."""

    revision: int
    architecture: str
    epoch_s: int
    out: Path

    @property
    def version(self) -> str:
        return f"{__version__}-{self.revision}"

    @property
    def path(self) -> Path:
        return self.out / f"holdfast_{self.version}_{self.architecture}.deb"

    @property
    def built_at(self) -> datetime:
        return datetime.fromtimestamp(self.epoch_s, tz=UTC)


def lay_out(package: Package, root: Path) -> None:
    """Everything of the package below `root`, which is made."""
    _install_wheels(package, root / _LIBRARY)
    _make_environment(root / "usr/lib/holdfast")
    _write(root / "usr/bin/holdfast", _LAUNCHER.encode(), 0o755)
    for service in SERVICES:
        _write(root / f"usr/lib/systemd/system/{unit_name(service)}", unit_text(service, "/usr/bin/holdfast").encode())
    for name, place in _CONFIGURATION.items():
        _write(root / place, (FILES / name).read_bytes())
    _write(root / _OVERRIDES, (FILES / "lintian-overrides").read_bytes())
    (root / "etc/holdfast/hooks").mkdir(parents=True)
    (root / "var/lib/holdfast").mkdir(parents=True)
    for place, content in {**man_pages(__version__, package.built_at.date().isoformat()), **completions()}.items():
        _write(root / place, content)
    _write_documents(package, root / "usr/share/doc/holdfast")
    _settle_modes(root)
    _write_control(package, root)
    _settle_times(root, package.epoch_s)


def _install_wheels(package: Package, library: Path) -> None:
    """The locked wheels, checked against their hashes, and ours; nothing is compiled or built on the way but our own wheel."""
    pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(package.epoch_s)}
    place = [*pip, "install", "--no-compile", "--no-deps", f"--target={library}"]
    choice = wheel_choice(MACHINES[package.architecture])
    subprocess.run([*place, *choice, "--require-hashes", f"--requirement={LOCK}"], check=True, env=environment)
    wheels = library.with_name("wheels")
    subprocess.run([*pip, "wheel", "--no-deps", f"--wheel-dir={wheels}", str(ROOT)], check=True, env=environment)
    subprocess.run([*place, *map(str, wheels.iterdir())], check=True, env=environment)
    shutil.rmtree(wheels)
    shutil.rmtree(library / "bin", ignore_errors=True)
    for path in [path for path in library.rglob("*") if path.name in _UNWANTED and path.parent.suffix == ".dist-info"]:
        path.unlink()
    for cache in sorted(library.rglob("__pycache__")):
        shutil.rmtree(cache)


def _make_environment(place: Path) -> None:
    """What `venv` makes, without copying this machine's own paths: Debian's Python, and these libraries alone."""
    (place / "bin").mkdir()
    (place / "bin/python3").symlink_to("/usr/bin/python3")
    _write(place / "pyvenv.cfg", f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {PYTHON}\n".encode())


def _write_documents(package: Package, place: Path) -> None:
    _write(place / "copyright", (FILES / "copyright").read_bytes())
    _write(place / "changelog.gz", _packed((ROOT / "CHANGELOG.md").read_bytes()))
    entry = (
        f"holdfast ({package.version}) bookworm; urgency=medium\n\n  * Built from the sources of version {__version__}.\n\n"
        f" -- Holdfast developers <holdfast@localhost.invalid>  {format_datetime(package.built_at)}\n"
    )
    _write(place / "changelog.Debian.gz", _packed(entry.encode()))
    for page in sorted((ROOT / "docs").glob("*.md")):
        _write(place / "docs" / page.name, page.read_bytes())


def _write_control(package: Package, root: Path) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    size_kib = sum(-(-path.stat().st_size // 1024) for path in files) + sum(1 for path in root.rglob("*") if path.is_dir())
    names = {path: path.relative_to(root) for path in files}
    sums = "".join(f"{hashlib.md5(path.read_bytes()).hexdigest()}  {names[path]}\n" for path in files if names[path].parts[0] != "etc")
    control = (FILES / "control.in").read_text()
    facts = {"version": package.version, "architecture": package.architecture, "installed_kib": size_kib}
    _write(root / "DEBIAN/control", control.format(**facts).encode())
    _write(root / "DEBIAN/md5sums", sums.encode())
    _write(root / "DEBIAN/conffiles", "".join(f"/{place}\n" for place in sorted(_CONFIGURATION.values())).encode())
    _write(root / "DEBIAN/templates", (FILES / "templates").read_bytes())
    for name in _SCRIPTS:
        _write(root / "DEBIAN" / name, (FILES / name).read_bytes(), 0o755)
    (root / "DEBIAN").chmod(0o755)


def _settle_modes(root: Path) -> None:
    """Whatever the umask of who builds it. Only what a wheel or we made executable is."""
    for path in [root, *root.rglob("*")]:
        if path.is_symlink():
            continue
        path.chmod(0o755 if path.is_dir() or (path.stat().st_mode & 0o100 and "site-packages" not in path.parts) else 0o644)
    (root / "var/lib/holdfast").chmod(0o700)


def _settle_times(root: Path, epoch_s: int) -> None:
    for path in [*root.rglob("*"), root]:
        os.utime(path, (epoch_s, epoch_s), follow_symlinks=False)


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
