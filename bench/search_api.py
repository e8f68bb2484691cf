"""Measure searching through the Master: `python -m bench.search_api [--versions 1000000] [--points 500] [--users 20] [--seconds 20]`.

A Master and a node as processes. The node's repository gets a catalog as `bench.catalog` makes it, and so many users at once ask
`GET /search` of the Master for the first page of 100 files, each over a connection that is kept as a browser keeps it. The mix and the
figures are those of `bench.search`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import ssl
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from bench.catalog import VERSIONS_OF_A_FILE, fill, scratch
from bench.search import kinds, used_by
from holdfast.backend.local import LocalBackend
from holdfast.cli.client import ApiClient
from holdfast.cli.demo.machines import Machines
from holdfast.cli.home import Session, load_session
from holdfast.cli.processes import wait_until
from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.ids import RepositoryId
from holdfast.model.questions import AskRepositoryEnv, RepositoryEnv
from holdfast.node.local.client import ask
from holdfast.repository.repository import open_repository

_PAGE = 100
_DOCUMENT = """\
environment: bench
nodes: {{vault: {{}}}}
repositories: {{main: {{node: vault, location: {folder}/store}}}}
policies: {{data: {{classification: {{paths: [{folder}/data]}}, operations: {{backup: {{every: 30d, keep: {{last: 10}}}}}}}}}}
flows:
  store:
    vertices: {{from: {{node: vault, policies: [data]}}, to: {{repository: main}}}}
    movers: [{{from: from, to: to, carries: [data/backup]}}]
"""


def prepare(machines: Machines, folder: Path, versions: int, points: int) -> ApiClient:
    """The Master's client, once its node has a repository with so many versions."""
    (folder / "data").mkdir()
    client = machines.start_master("bench")
    machines.start_node("vault")
    machines.wait_for_nodes({"vault"})
    text = _DOCUMENT.format(folder=folder)
    client.put("/environment", {"text": text, "base_revision": None, "accept_removals": True, "comment": ""})
    client.post("/flows/store/activate")
    wait_until(lambda: bool(client.get("/points")["points"]), "the repository has its first point", machines.children)
    home = machines.home("vault")
    env = ask(home, AskRepositoryEnv(repository="main"), 30)
    assert isinstance(env, RepositoryEnv), env
    node = next(child for child in machines.children if child.name == "vault")
    node.stop()
    repository = open_repository(
        LocalBackend(Path(env.location)),
        home / "repositories" / "main",
        name="main",
        repository_id=RepositoryId("c" * 32),
        password=env.password,
        clock=SystemClock(),
        entropy=SystemEntropy(),
    )
    interior = repository._interior
    fill(interior, versions, points)
    interior.names.catch_up()
    repository.close()
    node.start()
    machines.wait_for_nodes({"vault"})
    return client


class _Browsers:
    """One kept connection to the Master for each thread that asks."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._context = ssl.create_default_context(cadata=session.ca_pem)
        self._own = threading.local()

    def search(self, parameters: dict[str, str]) -> None:
        connection = self._connection()
        headers = {"Authorization": f"Bearer {self._session.token}"}
        connection.request("GET", f"/api/v1/search?{urlencode({'limit': _PAGE, **parameters})}", None, headers)
        response = connection.getresponse()
        payload = response.read()
        assert response.status == 200, payload[:300]
        found = json.loads(payload)
        assert not found["unreachable"], found["unreachable"]

    def _connection(self) -> http.client.HTTPSConnection:
        kept: http.client.HTTPSConnection | None = getattr(self._own, "connection", None)
        if kept is None:
            at = urlsplit(self._session.url)
            kept = http.client.HTTPSConnection(at.hostname or "localhost", at.port, timeout=60, context=self._context)
            self._own.connection = kept
        return kept


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.search_api", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=1_000_000)
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    mix = kinds(options.versions // VERSIONS_OF_A_FILE)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        machines = Machines(folder / "machines")
        stack.callback(machines.stop)
        began_s = time.perf_counter()
        prepare(machines, folder, options.versions, options.points)
        print(json.dumps({"filled in s": round(time.perf_counter() - began_s, 1)}), flush=True)
        browsers = _Browsers(load_session(machines.home("master")))
        for title, pause_s in (("a second between two", 1.0), ("one after the other", 0.0)):
            print(json.dumps({title: used_by(options.users, mix, browsers.search, options.seconds, pause_s)}, indent=2), flush=True)


if __name__ == "__main__":
    main()
