"""What somebody may see of what there is: rights, spread over the things of the environment, so that lists and questions can be narrowed.

Names are the document's; ids are what points, jobs and rules say.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from holdfast.core.errors import Refused, UnknownName
from holdfast.model.access import Activity, Resource, ResourceKind, Rights, may, may_everywhere
from holdfast.model.jobs import Job

REFUSED_HINT = "`holdfast access of USER` shows what one may; whoever manages access can grant it"


class Known(msgspec.Struct, frozen=True):
    """A thing that there is. `id` empty = it has none. `stores`: of a dataset, the repositories that the rules in force have it in."""

    resource: Resource
    id: str = ""
    stores: frozenset[str] = frozenset()


class Landscape(msgspec.Struct, frozen=True, kw_only=True):
    """All that access is decided on. Datasets are all that could ever have been captured: each policy on each node."""

    nodes: tuple[Known, ...] = ()
    flows: tuple[Known, ...] = ()
    repositories: tuple[Known, ...] = ()
    datasets: tuple[Known, ...] = ()

    def of(self, kind: ResourceKind) -> tuple[Known, ...]:
        by_kind = {"node": self.nodes, "flow": self.flows, "repository": self.repositories, "dataset": self.datasets}
        return by_kind.get(kind, ())

    def find(self, kind: ResourceKind, name_or_id: str) -> Resource | None:
        found = (known.resource for known in self.of(kind) if name_or_id and name_or_id in (known.resource.name, known.id))
        return next(found, None)


class Within(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bounds of a question: everything in these repositories (names), and these datasets (ids) wherever they are."""

    repositories: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()

    def allows(self, repository: str, dataset: str) -> bool:
        return repository in self.repositories or dataset in self.datasets


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What one activity is granted on. `everything`: also what nobody has listed; the rest is empty then.

    `nodes`, `repositories`, `datasets` are ids; `..._names` names, of datasets labels. `stores`: names of repositories that have some of
    the datasets, whether they are granted themselves or not.
    """

    everything: bool = False
    nodes: frozenset[str] = frozenset()
    node_names: frozenset[str] = frozenset()
    flows: frozenset[str] = frozenset()
    repositories: frozenset[str] = frozenset()
    repository_names: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    dataset_labels: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()

    def has_node(self, name_or_id: str) -> bool:
        return self.everything or name_or_id in self.nodes or name_or_id in self.node_names

    def has_flow(self, name: str) -> bool:
        return self.everything or name in self.flows

    def has_repository(self, name_or_id: str) -> bool:
        return self.everything or name_or_id in self.repositories or name_or_id in self.repository_names

    def has_dataset(self, label_or_id: str) -> bool:
        return self.everything or label_or_id in self.datasets or label_or_id in self.dataset_labels

    def has_copy(self, dataset: str, repository: str) -> bool:
        """A dataset (id or label) as it lies in a repository (id or name)."""
        return self.has_dataset(dataset) or self.has_repository(repository)

    def has_part_of(self, repository: str) -> bool:
        """Anything that is in this repository (by name)."""
        return self.has_repository(repository) or repository in self.stores

    def has_about(self, node: str, datasets: Iterable[str]) -> bool:
        """Something that is done on a machine, about datasets: the machine, or all of the datasets."""
        if self.has_node(node):
            return True
        about = tuple(datasets)
        return bool(about) and all(map(self.has_dataset, about))

    @property
    def within(self) -> Within | None:
        """As a question to an owner bears it; None = no bounds."""
        if self.everything:
            return None
        return Within(repositories=tuple(sorted(self.repository_names)), datasets=tuple(sorted(self.datasets)))

    def check_asked(self, dataset: str, repository: str) -> None:
        """A dataset that is asked for by name, in one repository or (empty) wherever it is. Who sees a repository and not the dataset has
        to name the repository. Raises `UnknownName`."""
        if not self.has_dataset(dataset) and not (repository and self.has_repository(repository)):
            raise UnknownName(f"there is no dataset {dataset!r}", hint="`holdfast points` shows those that there are", dataset=dataset)

    def check_part_of(self, repository: str) -> None:
        """Raises `UnknownName`."""
        if not self.has_part_of(repository):
            raise UnknownName(f"there is no repository {repository!r}", hint="look at the list of what there is", repository=repository)

    def has_job(self, job: Job) -> bool:
        return self.has_about(job.node, job.datasets or (job.rule,))

    def joined(self, other: Sight) -> Sight:
        """What is in either."""
        fields = Sight.__struct_fields__[1:]
        both = {name: getattr(self, name) | getattr(other, name) for name in fields}
        return Sight(everything=True) if self.everything or other.everything else Sight(**both)


SEES_ALL = Sight(everything=True)
SEEING = (Activity.STATUS_READ, Activity.POINTS_READ)
"""What one has any of these on, one may know of."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How far a call goes: `may` is what its activity is granted on, `sees` what the caller may know of.

    Of what somebody may not know nothing is said: for them it is not there. What they see and may not touch is refused.
    """

    user: str
    activity: Activity
    may: Sight
    sees: Sight

    def check_node(self, name: str) -> None:
        """Raises `UnknownName`, or `Refused`; so do the others."""
        self._check("node", name, self.sees.has_node(name), self.may.has_node(name))

    def check_flow(self, name: str) -> None:
        self._check("flow", name, self.sees.has_flow(name), self.may.has_flow(name))

    def check_repository(self, name: str) -> None:
        self._check("repository", name, self.sees.has_repository(name), self.may.has_repository(name))

    def check_dataset(self, name: str) -> None:
        self._check("dataset", name, self.sees.has_dataset(name), self.may.has_dataset(name))

    def check_copy(self, dataset: str, label: str, repository: str) -> None:
        """A dataset (id and label) in a repository."""
        self._check("dataset", label, self.sees.has_copy(dataset, repository), self.may.has_copy(dataset, repository))

    def check_job(self, job: Job) -> None:
        self._check("job", job.id, self.sees.has_job(job), self.may.has_job(job))

    def _check(self, kind: str, name: str, is_seen: bool, is_granted: bool) -> None:
        if not is_seen and not is_granted:
            raise UnknownName(f"there is no {kind} {name!r}", hint="look at the list of what there is", name=name)
        if not is_granted:
            raise Refused(
                f"{self.user} has no grant with the activity {self.activity} on {kind} {name}",
                hint=REFUSED_HINT,
                activity=self.activity,
            )


def sight_of(rights: Rights, activity: Activity, landscape: Landscape) -> Sight:
    if may_everywhere(rights, activity):
        return SEES_ALL
    seen = {
        kind: [known for known in landscape.of(kind) if may(rights, activity, known.resource).allowed]
        for kind in ("node", "flow", "repository", "dataset")
    }
    return Sight(
        nodes=_ids(seen["node"]),
        node_names=_names(seen["node"]),
        flows=_names(seen["flow"]),
        repositories=_ids(seen["repository"]),
        repository_names=_names(seen["repository"]),
        datasets=_ids(seen["dataset"]),
        dataset_labels=_names(seen["dataset"]),
        stores=frozenset(store for known in seen["dataset"] for store in known.stores),
    )


def _ids(known: Iterable[Known]) -> frozenset[str]:
    return frozenset(each.id for each in known if each.id)


def _names(known: Iterable[Known]) -> frozenset[str]:
    return frozenset(each.resource.name for each in known)
