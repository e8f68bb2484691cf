"""Two machines on one: the sources of a benchmark live in a network namespace of their own, so that what leaves it can be counted."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from types import TracebackType

_NETWORK = "10.199.{}.{}"


class Wire:
    """A pair of virtual interfaces between this namespace and a new one. Needs root. Removed at the end of `with`."""

    def __init__(self) -> None:
        self._name = f"hf{os.getpid() % 100_000}"
        third = os.getpid() % 250
        self.here, self.there = _NETWORK.format(third, 1), _NETWORK.format(third, 2)
        self.inside = ("ip", "netns", "exec", self._name)
        """What a command begins with that is to run on the other machine."""

    def __enter__(self) -> Wire:
        name = self._name
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "far", "netns", name)
        _ip("address", "add", f"{self.here}/24", "dev", name)
        _ip("link", "set", name, "up")
        for words in (("address", "add", f"{self.there}/24", "dev", "far"), ("link", "set", "far", "up"), ("link", "set", "lo", "up")):
            _ip("-n", name, *words)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(subprocess.CalledProcessError):
            _ip("netns", "delete", self._name)

    def sent_bytes(self) -> int:
        """All that has passed so far, both ways, with all headers."""
        return sum(self._counter(name) for name in ("rx_bytes", "tx_bytes"))

    def _counter(self, name: str) -> int:
        with open(f"/sys/class/net/{self._name}/statistics/{name}") as file:
            return int(file.read())


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"ip {' '.join(words)}: {done.stderr.strip()} (live benchmarks need root and iproute2)")
