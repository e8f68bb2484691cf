"""A real PostgreSQL server for tests: a cluster of its own in a temporary folder, on a port of its own, gone with who uses it.

`kill` ends it as a crash does, `start` brings it back. A database of its own for each test costs 0.1 s (`new_database`).
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = "postgresql"
USER = "postgres"
_TIMEOUT_S = 60
_LOOK_S = 0.2
# Nothing is asked of the disk: `kill` ends processes, and what they gave the system outlives them.
_SETTINGS = (
    "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 50\nshared_buffers = 32MB\nlogging_collector = off\n"
    "fsync = off\nfull_page_writes = off\n"
)


def program(name: str) -> str | None:
    """Where one of the server's programs is; Debian keeps them out of PATH. None = not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def is_installed() -> bool:
    return program("initdb") is not None and program("postgres") is not None


class PostgreSql:
    """`url` of the database `postgres`, as its superuser."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._count = itertools.count(1)
        self.port = _free_port()

    @property
    def is_up(self) -> bool:
        return self._server is not None

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        if os.geteuid() == 0:
            # The server refuses to be root; its own user must be able to come to the folder.
            account = pwd.getpwnam(USER)
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        initdb = program("initdb") or "initdb"
        self._run(initdb, "-D", str(self._data), "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS + f"port = {self.port}\n")

    def start(self) -> None:
        """Returns when it answers."""
        command = (program("postgres") or "postgres", "-D", str(self._data))
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen((*_as_server(), *command), stdout=log, stderr=log, cwd="/")
        ready = program("pg_isready") or "pg_isready"
        # After a crash it first brings its files up to date, which takes a busy disk its time.
        for _ in range(int(_TIMEOUT_S / _LOOK_S)):
            if subprocess.run((ready, "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"), check=False, timeout=30).returncode == 0:
                return
            if self._server.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text()[-2000:])
            try:
                self._server.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                continue
        raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """As a crash: every process of it, at once."""
        if self._server is not None:
            # Stopped first, so that it cannot make another child while we count them.
            self._server.send_signal(signal.SIGSTOP)
            children = subprocess.run(("pgrep", "-P", str(self._server.pid)), capture_output=True, text=True, check=False).stdout.split()
            for pid in (self._server.pid, *map(int, children)):
                _kill(pid, signal.SIGKILL)
            self._server.wait()
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            self._server = None

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait()
            self._server = None

    def new_database(self, template: str = "template1") -> str:
        """The URL of a database of its own, a copy of `template`."""
        name = f"test{next(self._count)}"
        psql = program("psql") or "psql"
        self._run(psql, "-q", "-d", self.url, "-c", f'CREATE DATABASE {name} TEMPLATE "{template}"')
        return self.url_of(name)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, *command: str) -> None:
        done = subprocess.run((*_as_server(), *command), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, cwd="/")
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr[-2000:]}")


@contextmanager
def postgresql() -> Iterator[PostgreSql]:
    """Raises `RuntimeError` with what the server said when it does not start."""
    with tempfile.TemporaryDirectory(prefix="holdfast-postgresql-") as folder:
        server = PostgreSql(Path(folder))
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _as_server() -> tuple[str, ...]:
    """A program, not `user=` of `subprocess`: that would fork in earnest, which a process with gRPC's threads does not survive."""
    return ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--") if os.geteuid() == 0 else ()


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
