"""What a machine knows of itself once it has joined: `HOME/identity/node.json`, and where things are in HOME."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from holdfast.core.errors import UsageError
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.core.private_files import make_private_folder, write_private
from holdfast.model.decoding import UNREADABLE_FILE

DEFAULT_DATA_LISTEN = "0.0.0.0:7442"


class NodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`master_name` is the name in the Master's hub certificate. `data_listen` may have port 0 (any free one).

    `data_advertised` is the `host:port` other nodes dial; empty = the Master takes the address it sees and the port that listens.
    `download_listen` is the `host:port` of the HTTPS port for downloads, `off` = none, empty = the port after that of data; `download_host`
    what it is called in links, empty = as the Master finds the node.
    """

    environment: EnvironmentId
    environment_name: str
    node: NodeId
    name: str
    master_url: str
    master_name: str
    hub_address: str
    data_listen: str = DEFAULT_DATA_LISTEN
    data_advertised: str = ""
    download_listen: str = ""
    download_host: str = ""


def download_place(config: NodeConfig) -> tuple[str, int] | None:
    """Host and port where downloads are given, port 0 = any free one; None = nowhere."""
    if config.download_listen == "off":
        return None
    host, _, port = (config.download_listen or config.data_listen).rpartition(":")
    number = int(port) if port.isdecimal() else 0
    if not config.download_listen and number:
        number += 1
    return (host.strip("[]") if host not in ("", "*") else "0.0.0.0"), number


def data_address(configured: str, port_now: int) -> str:
    """What other nodes dial: the configured `host:port`; for port 0 the one that listens, for a wildcard the machine's name."""
    host, _, port = configured.rpartition(":")
    if host in ("", "0.0.0.0", "[::]", "*"):
        host = os.uname().nodename
    return f"{host}:{port_now if port in ('', '0') else port}"


def config_path(home: Path) -> Path:
    return home / "identity" / "node.json"


def socket_path(home: Path) -> Path:
    """The agent's local socket, for questions."""
    return home / "run" / "agent.sock"


def pid_path(home: Path) -> Path:
    return home / "run" / "agent.pid"


def recall_path(home: Path) -> Path:
    """Where stubs of this node's archived files lead: the mount point of the recall mount. Never changes, since it stands in each stub."""
    return home / "recall"


def is_joined(home: Path) -> bool:
    return config_path(home).exists()


def load_config(home: Path) -> NodeConfig:
    """Raises `UsageError` when this machine has not joined an environment."""
    try:
        return msgspec.json.decode(config_path(home).read_bytes(), type=NodeConfig)
    except FileNotFoundError:
        raise UsageError(f"no node lives in {home}", hint="join an environment: holdfast node join URL --token T --name N") from None
    except UNREADABLE_FILE as error:
        raise UsageError(f"{config_path(home)}: {error}", hint="join again with `holdfast node join --replace NAME`") from error


def save_config(home: Path, config: NodeConfig) -> None:
    make_private_folder(config_path(home).parent)
    write_private(config_path(home), msgspec.json.format(msgspec.json.encode(config)))
