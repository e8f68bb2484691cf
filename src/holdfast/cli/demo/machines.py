"""The demo's machines: a Master and three nodes on loopback, enrolled for real, each a process with its own home."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from holdfast.cli.client import ApiClient
from holdfast.cli.home import Session, load_session, save_session
from holdfast.cli.processes import Child, free_ports, stop_all, wait_until
from holdfast.cli.setup import MasterSetup, NodeSetup, join_node, set_up_master


@dataclass
class Machines:
    """Started one by one, stopped all together. `client` is logged in as the administrator, whose password is `admin_password`.
    `host`: where the Master listens; `child`: what starts a process."""

    scratch: Path
    children: list[Child] = field(default_factory=list)
    client: ApiClient | None = None
    admin_password: str = ""
    host: str = "127.0.0.1"
    child: type[Child] = Child

    def home(self, name: str) -> Path:
        return self.scratch / name / "home"

    def start_master(self, environment: str) -> ApiClient:
        home = self.home("master")
        api_port, hub_port = free_ports(2)
        setup = MasterSetup(name=environment, host=self.host, api_port=api_port, hub_port=hub_port)
        self.admin_password = set_up_master(home, setup).admin_password
        self._start(self.child("master", ["master", "run", "--home", str(home)], home / "log" / "master.log"))
        client = ApiClient(load_session(home))
        wait_until(client.is_answered, "the Master answers", self.children)
        self.client = client
        return client

    def start_node(self, name: str, *, is_bounded: bool = False, host: str = "", inside: tuple[str, ...] = ()) -> Path:
        """Join with a one-time token and start; returns the node's home. `is_bounded`: the Master may read and write in `scratch` only.
        `host`: where it listens, by default where the Master does; `inside`: as for `Child`."""
        assert self.client is not None
        home = self.home(name)
        data_port, download_port = free_ports(2)
        token = self.client.post("/nodes/tokens", {"name": name, "ttl_s": 600, "replace": False})["token"]
        within = (str(self.scratch),) if is_bounded else ()
        setup = NodeSetup(
            url=self.client.url,
            token=token,
            name=name,
            home=home,
            listen=f"{host or self.host}:{data_port}",
            download_listen=f"{host or self.host}:{download_port}",
            read=within,
            write=within,
        )
        join_node(setup)
        master = load_session(self.home("master"))
        save_session(home, Session(url=master.url, ca_pem=master.ca_pem, token=master.token))
        self._start(self.child(name, ["node", "run", "--home", str(home)], home / "log" / "node.log", inside))
        return home

    def wait_for_nodes(self, names: set[str]) -> None:
        client = self.client
        assert client is not None
        wait_until(lambda: client.online_nodes() >= names, f"nodes {', '.join(sorted(names))} are online", self.children)

    def stop(self) -> None:
        stop_all(self.children)

    def _start(self, child: Child) -> None:
        child.start()
        self.children.append(child)
