"""Who opens a place, and the ability of a place that several machines can reach to belong to one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A node and its folder for one repository. `home` (HOME/repositories/NAME) need not exist before the repository does.

    `keys`: where credentials may lie, the first that is there counts. `wait` lets some seconds pass.
    """

    node: str
    hostname: str
    home: Path
    keys: tuple[Path, ...]
    clock: Clock
    entropy: Entropy
    wait: Callable[[float], object] = time.sleep


@runtime_checkable
class Ownable(Protocol):
    """A place that keeps a note of its owner, so that two machines do not both take it for theirs."""

    def take(self) -> None:
        """This node owns the place from now on. Raises `RepositoryMoved` while another does: for ever, until that one gives it up, this one
        takes it over or somebody deletes the note. A node that has it already takes it again without a word."""
        ...

    def take_over(self) -> str:
        """This node owns the place from now on, whoever did; that one refuses to write from then on. Gives who it was, empty where it was
        nobody else. Only for what an administrator with a password of the repository does."""
        ...

    def refuse_others(self) -> None:
        """Raises `RepositoryMoved` when another node owns the place."""
        ...

    def give_up(self) -> None:
        """Nobody owns it any more, if this node did. For a repository that has left the rules, not for the end of a process."""
        ...
