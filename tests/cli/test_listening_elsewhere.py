"""A node gets another address and stays who it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.setup import listen_elsewhere
from holdfast.core.errors import UsageError
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.node.config import NodeConfig, load_config, save_config

NOTHING = {"listen": "", "address": "", "download_listen": "", "download_host": ""}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    config = NodeConfig(
        environment=EnvironmentId("e" * 32),
        environment_name="office",
        node=NodeId("n" * 32),
        name="vault",
        master_url="https://127.0.0.1:7440",
        master_name="holdfast-master",
        hub_address="127.0.0.1:7441",
        data_listen="0.0.0.0:7442",
        data_advertised="192.0.2.7:7442",
        download_listen="0.0.0.0:7500",
        download_host="vault.example.net",
    )
    save_config(tmp_path, config)
    return tmp_path


def test_the_address_is_found_out_anew_and_all_else_stays(home: Path) -> None:
    before = load_config(home)
    changed = listen_elsewhere(home, **NOTHING)
    assert changed == load_config(home)
    assert changed.data_advertised == "127.0.0.1:7442"
    assert (changed.node, changed.data_listen, changed.download_listen) == (before.node, "0.0.0.0:7442", "0.0.0.0:7500")


def test_what_is_given_counts(home: Path) -> None:
    listen_elsewhere(home, listen="198.51.100.2:9000", address="", download_listen="off", download_host="v.example.net")
    changed = load_config(home)
    assert (changed.data_listen, changed.data_advertised) == ("198.51.100.2:9000", "198.51.100.2:9000")
    assert (changed.download_listen, changed.download_host) == ("off", "v.example.net")
    assert listen_elsewhere(home, **{**NOTHING, "address": "nat.example.net:443"}).data_advertised == "nat.example.net:443"


@pytest.mark.parametrize("wrong", [{"listen": "7442"}, {"address": "host"}, {"download_listen": "host:0"}])
def test_what_is_no_address_changes_nothing(home: Path, wrong: dict[str, str]) -> None:
    before = load_config(home)
    with pytest.raises(UsageError, match="HOST:PORT"):
        listen_elsewhere(home, **{**NOTHING, **wrong})
    assert load_config(home) == before


def test_a_machine_that_has_not_joined_has_nothing_to_change(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no node lives"):
        listen_elsewhere(tmp_path, **NOTHING)
