"""Roles, resource groups, grants; who can do what."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import note, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.sections import new_group

role_app = new_group("Roles: names for what one may do.")
group_app = new_group("Resource groups: names for what it may be done on.")
grant_app = new_group("Grants: who has which role on which resource group.")
access_app = new_group("Who can do what.")
_Names = list[str] | None
_User = Annotated[str, typer.Argument(metavar="USER")]
_Role = Annotated[str, typer.Argument(metavar="ROLE")]
_Group = Annotated[str, typer.Argument(metavar="GROUP")]
_KINDS = ("nodes", "node_groups", "tags", "flows", "repositories", "datasets")


@role_app.command("ls")
def list_roles(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """All roles and what they give."""
    roles = master_client(home).get("/roles")["roles"]
    if as_json:
        print_json(roles)
        return
    rows = [(role["name"], "built in" if role["builtin"] else "", ", ".join(role["activities"])) for role in roles]
    print_table(("ROLE", "", "ACTIVITIES"), rows)


@role_app.command("set")
def set_role(
    role: _Role,
    activity: Annotated[list[str], typer.Option("--activity", help="What it gives; may be repeated.")],
    home: HomeOption = None,
) -> None:
    """Make a role, or change what it gives to whoever has it."""
    master_client(home).put(path_of("roles", role), {"activities": activity})
    say(f"{role} gives {', '.join(sorted(activity))}")


@role_app.command("remove")
def remove_role(role: _Role, home: HomeOption = None) -> None:
    """Remove a role that nobody has."""
    master_client(home).delete(path_of("roles", role))
    say(f"{role} is removed")


@role_app.command("activities")
def list_activities(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """All that a role can give."""
    activities = master_client(home).get("/activities")["activities"]
    if as_json:
        print_json(activities)
        return
    print_table(("ACTIVITY", "MEANING"), [(each["name"], each["meaning"]) for each in activities])


@group_app.command("ls")
def list_groups(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """All resource groups and what is in them."""
    groups = master_client(home).get("/resource-groups")["groups"]
    if as_json:
        print_json(groups)
        return
    print_table(("GROUP", "WHAT"), [(group["name"], _content(group)) for group in groups])


@group_app.command("set")
def set_group(
    group: _Group,
    node: Annotated[_Names, typer.Option("--node", help="A node, with what is captured on it; all of these may be repeated.")] = None,
    node_group: Annotated[_Names, typer.Option("--node-group", help="The nodes of a group of the document.")] = None,
    tag: Annotated[_Names, typer.Option("--tag", help="The nodes with this tag.")] = None,
    flow: Annotated[_Names, typer.Option("--flow", help="A flow, with what it captures.")] = None,
    repository: Annotated[_Names, typer.Option("--repository", help="A repository, with what is stored in it.")] = None,
    dataset: Annotated[_Names, typer.Option("--dataset", help="A dataset, NODE/POLICY, or */POLICY wherever it is captured.")] = None,
    home: HomeOption = None,
) -> None:
    """Make a resource group, or say anew what is in it."""
    content = dict(zip(_KINDS, (node or [], node_group or [], tag or [], flow or [], repository or [], dataset or []), strict=True))
    made = master_client(home).put(path_of("resource-groups", group), content)
    say(f"{group}: {_content(made)}")


@group_app.command("remove")
def remove_group(group: _Group, home: HomeOption = None) -> None:
    """Remove a resource group that no grant names. Tokens that are narrowed to it may nothing any more."""
    master_client(home).delete(path_of("resource-groups", group))
    say(f"{group} is removed")


@grant_app.command("ls")
def list_grants(
    user: Annotated[str, typer.Option("--user", help="Only those of this user.")] = "", home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """All grants."""
    grants = [grant for grant in master_client(home).get("/grants")["grants"] if user in ("", grant["user"])]
    if as_json:
        print_json(grants)
        return
    print_table(("USER", "ROLE", "ON"), [(grant["user"], grant["role"], grant["group"]) for grant in grants])


@grant_app.command("add")
def add_grant(
    user: _User,
    role: _Role,
    on: Annotated[str, typer.Option("--on", help="A resource group.")] = "everything",
    home: HomeOption = None,
) -> None:
    """Give a user a role, on everything or on a resource group."""
    master_client(home).post("/grants", {"user": user, "role": role, "group": on})
    say(f"{user} has the role {role} on {on}")


@grant_app.command("remove")
def remove_grant(
    user: _User,
    role: _Role,
    on: Annotated[str, typer.Option("--on", help="The resource group it was given on.")] = "everything",
    home: HomeOption = None,
) -> None:
    """Take a role back from a user; the next call is refused."""
    master_client(home).delete("/grants" + "".join(path_of("", name)[1:] for name in (user, role, on)))
    say(f"{user} has not the role {role} on {on} any more")


@access_app.command("of")
def access_of(user: _User, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What can this user do?"""
    answer = master_client(home).get("/access" + path_of("of", user))
    if as_json:
        print_json(answer)
        return
    if answer["disabled"]:
        note(f"{user} is disabled, and cannot log in")
    if answer["rows"]:
        print_table(("ACTIVITY", "ON", "BY ROLE"), [(row["activity"], _reach(row), ", ".join(row["roles"])) for row in answer["rows"]])
    else:
        note(f"{user} may do nothing")


@access_app.command("to")
def access_to(
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="A name, a dataset as NODE/POLICY, or `environment`.")],
    kind: Annotated[
        Literal["", "node", "flow", "repository", "dataset"], typer.Option("--kind", help="When several things have this name.")
    ] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who can do what on this?"""
    answer = _who(master_client(home), resource, kind)
    if as_json:
        print_json(answer)
        return
    users: dict[tuple[str, str], list[str]] = {}
    for row in answer["rows"]:
        users.setdefault((row["user"], row["why"]), []).append(row["activity"])
    print_table(("USER", "WHY", "ACTIVITIES"), [(user, why, ", ".join(activities)) for (user, why), activities in users.items()])


def _who(client: ApiClient, resource: str, kind: str) -> Any:
    from holdfast.core.errors import UnknownName

    if resource == "environment" and not kind:
        return client.get("/access/to", kind="environment")
    for each in (kind,) if kind else ("dataset",) if "/" in resource else ("node", "flow", "repository"):
        try:
            return client.get("/access/to", kind=each, name=resource)
        except UnknownName as error:
            unknown = error
    raise unknown


def _content(group: dict[str, Any]) -> str:
    if group["everything"]:
        return "everything"
    return "; ".join(f"{kind.replace('_', ' ')} {', '.join(group[kind])}" for kind in _KINDS if group[kind]) or "nothing"


def _reach(row: dict[str, Any]) -> str:
    if row["everything"]:
        return "everything"
    return "; ".join(f"{kind} {', '.join(row[kind])}" for kind in ("nodes", "flows", "repositories", "datasets") if row[kind])
