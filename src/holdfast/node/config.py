"""What a machine knows of itself once it has joined: `HOME/identity/node.json`, and where things are in HOME."""

from __future__ import annotations

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
