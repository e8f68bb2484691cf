"""What the new owner of a repository does to take it over: see that it opens, make a key of its own, say what is in it, bind snapshots."""

from __future__ import annotations

from holdfast.core.errors import Conflict, UnknownName, UsageError
from holdfast.core.ids import RepositoryId
from holdfast.model.adoption import Adopted, AskAdopt, Bind
from holdfast.model.rules import RepositoryRule, Rules, StoreAction
from holdfast.node.owned.repositories import Repositories
from holdfast.repository.adopting import Binding
from holdfast.repository.repository import Repository


def adopt(ask: AskAdopt, repositories: Repositories, rules: Rules | None) -> Adopted:
    """Raises what opening raises (`WrongPassword`, `RepositoryOutdated`, ...), `RepositoryLocked` while another program works alone in it,
    `Conflict` when the name is taken here, `UnknownName` for a dataset that the rules know nothing of."""
    rule = next((each for each in repositories.rules() if ask.repository in (each.name, each.id)), None)
    if not ask.location:
        if rule is None:
            raise UsageError(f"this machine owns no repository {ask.repository!r}", hint="say where it is: --location")
        return _look(repositories.get(rule.id), ask.binds, rules)
    if rule is not None and rule.location != ask.location:
        raise Conflict(f"{rule.name} is at {rule.location} on this machine", hint="choose another name")
    wanted = rule or RepositoryRule(id=RepositoryId(""), name=ask.repository, location=ask.location)
    repositories.make_key(wanted, ask.password)
    if rule is not None:
        return _look(repositories.get(rule.id), ask.binds, rules)
    repository = repositories.open_apart(wanted)
    try:
        return _look(repository, ask.binds, rules)
    finally:
        repository.close()


def _look(repository: Repository, binds: tuple[Bind, ...], rules: Rules | None) -> Adopted:
    bindings = [_binding(bind, repository, rules) for bind in binds]
    known = {group.group for group in repository.foreign_groups()}
    for binding in bindings:
        if binding.group not in known:
            there = ", ".join(sorted(known)) or "none"
            raise UnknownName(f"there are no snapshots of {binding.group!r} in {repository.name}", hint=f"there are: {there}")
    bound = sum(repository.bind(binding) for binding in bindings)
    return Adopted(repository=repository.name, groups=repository.foreign_groups(), bound=bound)


def _binding(bind: Bind, repository: Repository, rules: Rules | None) -> Binding:
    """The dataset as this machine receives it into this very repository."""
    for receive in rules.receives if rules else ():
        stores = {action.repository for action in receive.actions if isinstance(action, StoreAction)}
        if receive.label == bind.dataset and repository.id in stores:
            return Binding(bind.group, receive.dataset, receive.label, receive.sender)
    raise UnknownName(
        f"the rules of this machine know no dataset {bind.dataset!r} that is stored in {repository.name}",
        hint="activate a flow that backs it up there, then `holdfast repository adopt NAME --as DATASET=HOST:PATH`",
    )
