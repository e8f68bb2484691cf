"""The drawing with every name resolved: what the passes look at. Vertices that name nothing and movers without ends are not in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from holdfast.model.diagnostics import Where
from holdfast.model.document import Document, KeepRules, Mover, OperationUse, Policy, RepositoryEntry, Vertex
from holdfast.model.operations import SPECS, OperationSpec

Key = tuple[str, str]


@dataclass(frozen=True)
class Carried:
    """One operation of one policy on a mover. `index` is its place in `carries`."""

    policy: Policy
    operation: OperationUse
    index: int = 0

    @property
    def label(self) -> str:
        return f"{self.policy.name}/{self.operation.name}"

    @property
    def spec(self) -> OperationSpec:
        return SPECS[self.operation.kind]


@dataclass(frozen=True)
class DrawnVertex:
    """`nodes` and `policies` of a source; `place` is the node of a repository, mirror or relay."""

    flow: str
    vertex: Vertex
    nodes: tuple[str, ...] = ()
    policies: tuple[Policy, ...] = ()
    repository: RepositoryEntry | None = None
    place: str = ""

    @property
    def kind(self) -> str:
        return self.vertex.kind

    @property
    def is_source(self) -> bool:
        return self.kind in ("node", "group")

    @property
    def machines(self) -> tuple[str, ...]:
        return self.nodes if self.is_source else (self.place,)

    @cached_property
    def key(self) -> Key:
        """A repository is one place in whatever flow it is drawn; other vertices belong to their flow."""
        return ("", self.repository.name) if self.repository else (self.flow, self.vertex.name)

    def where(self, key: str = "") -> Where:
        path = f"flows.{self.flow}.vertices.{self.vertex.name}" + (f".{key}" if key else "")
        return Where(path=path, kind="vertex", name=self.vertex.name, flow=self.flow)


@dataclass(frozen=True)
class DrawnMover:
    flow: str
    index: int
    mover: Mover
    source: DrawnVertex
    target: DrawnVertex
    carries: tuple[Carried, ...]

    def where(self, key: str = "") -> Where:
        return mover_where(self.flow, self.index, self.mover, key)

    def where_carried(self, carried: Carried) -> Where:
        return self.where(f"carries[{carried.index}]")

    @property
    def keep(self) -> KeepRules:
        return self.mover.keep


@dataclass(frozen=True)
class Drawing:
    """`document` is the scene; `draft` the whole document, for what lies outside the compiled flows."""

    document: Document
    draft: Document
    vertices: tuple[DrawnVertex, ...]
    movers: tuple[DrawnMover, ...]

    @cached_property
    def leaving(self) -> dict[Key, tuple[DrawnMover, ...]]:
        """Movers by the key of the vertex they start at."""
        found: dict[Key, list[DrawnMover]] = {}
        for mover in self.movers:
            found.setdefault(mover.source.key, []).append(mover)
        return {key: tuple(movers) for key, movers in found.items()}


@dataclass(frozen=True)
class Leg:
    """One operation of one policy, for these source nodes, from where it starts to where it is kept.

    It starts at a source vertex (`origin` None) or at a repository (a cascade). `travels` is the operation whose points travel: the
    carried one, except from a repository to a mirror, where the points of the operation that fills the repository do.
    `movers` leads through the relays to `sink`. `paths`: what of the policy's paths goes this way; all, or what `only` on the way left.
    """

    carried: Carried
    travels: OperationUse
    sources: tuple[str, ...]
    origin: RepositoryEntry | None
    movers: tuple[DrawnMover, ...]
    paths: tuple[str, ...] = ()

    @property
    def sink(self) -> DrawnVertex:
        return self.movers[-1].target

    @property
    def flow(self) -> str:
        return self.movers[0].flow

    @property
    def policy(self) -> Policy:
        return self.carried.policy

    @cached_property
    def relays(self) -> tuple[str, ...]:
        """Nodes passed on the way."""
        return tuple(mover.target.place for mover in self.movers[:-1])


def mover_where(flow: str, index: int, mover: Mover, key: str = "") -> Where:
    path = f"flows.{flow}.movers[{index}]" + (f".{key}" if key else "")
    return Where(path=path, kind="mover", name=f"{mover.source}->{mover.target}", flow=flow)


def policy_where(policy: Policy, key: str = "") -> Where:
    return Where(path=f"policies.{policy.name}" + (f".{key}" if key else ""), kind="policy", name=policy.name)


def operation_where(policy: Policy, operation: OperationUse, key: str = "") -> Where:
    path = f"policies.{policy.name}.operations.{operation.name}" + (f".{key}" if key else "")
    return Where(path=path, kind="operation", name=f"{policy.name}/{operation.name}")
