"""The machines: who is there, what its rules make it do, letting it in, sending it away."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import age, note, one_line, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.sections import new_group
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import UnknownName

nodes_app = new_group("The machines: list them, look at one, let it in, rename it, move it, send it away.", says_what_there_is=False)

NameArgument = Annotated[str, typer.Argument(help="Name of the node.")]


@nodes_app.callback(invoke_without_command=True)
def nodes(
    context: typer.Context,
    order: Annotated[bool, typer.Option("--upgrade-order", help="Whose turn it is to be upgraded, and why.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The machines, and whether they are there."""
    if context.invoked_subcommand is not None:
        return
    if order:
        _print_order(master_client(home).get("/nodes/upgrades"), as_json=as_json)
        return
    known = all_nodes(master_client(home))
    if as_json:
        print_json(known)
        return
    rows = [(n["name"], n["state"], n.get("address") or "-", n["version"] or "-", _rules_of(n), _last_seen(n)) for n in known]
    print_table(("NODE", "STATE", "ADDRESS", "VERSION", "RULES", "LAST SEEN"), rows)
    waiting = [n["name"] for n in known if n["state"] == "waiting"]
    if waiting:
        note(f"waiting to be let in: {', '.join(waiting)}")
        note("  compare the key with `holdfast nodes show NAME`, then `holdfast nodes authorise NAME`")


@nodes_app.command()
def show(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One machine: its key, its rules in words, and what its own limits allow."""
    client = master_client(home)
    rules = client.get(path_of("nodes", name, "rules"))
    node = next(iter(client.get("/nodes", name=rules["node"])["nodes"]), None)
    if node is None:
        raise UnknownName(f"there is no node {name!r}", hint="`holdfast nodes` lists them")
    if as_json:
        print_json({**node, "lines": rules["lines"], "limits": rules["limits"]})
        return
    say(f"{node['name']}  {node['state']}  {node['address'] or '-'}  seen {_last_seen(node)}")
    say(f"key fingerprint: {node['fingerprint']}")
    say(f"rules: {_rules_of(node)}")
    if rules["lines"]:
        say()
        say(_lines_text(rules))
    _print_limits(rules["limits"])
    for finding in node["findings"]:
        note(f"{finding['severity']}: {finding['message']} [{finding['code']}]")


@nodes_app.command()
def authorise(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Let in a machine that joined with a token that holds. Compare its key's fingerprint first: `node join` printed it there."""
    answer = master_client(home).post(path_of("nodes", name, "authorise"))
    if as_json:
        print_json(answer)
    else:
        say(f"{answer['name']} is in")


@nodes_app.command()
def revoke(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Send a machine away: its key is refused from now on. What it has stored stays."""
    answer = master_client(home).post(path_of("nodes", name, "revoke"))
    if as_json:
        print_json(answer)
    else:
        say(f"{answer['name']} is revoked; what it has stored stays where it is")


@nodes_app.command()
def rename(
    name: NameArgument,
    new_name: Annotated[str, typer.Argument(help="What it is to be called.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would follow.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree that mirrors with {node} in their path begin anew in another place.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a machine another name. Its identity, its certificate and its history stay; the document and the rules follow."""
    body = {"name": new_name, "accept_new_copies": yes, "dry_run": dry_run}
    answer = master_client(home).post(path_of("nodes", name, "rename"), body)
    if as_json:
        print_json(answer)
        return
    say(one_line(f"{answer['was']} {'would be' if dry_run else 'is'} called {answer['name']}{'' if dry_run else ' from now on'}"))
    if answer["flows"]:
        say(one_line(f"rules go out anew for {', '.join(answer['flows'])}"))
    for mirror in answer["mirrors"]:
        note(f"mirror {mirror} has the node's name in its path: it begins anew in another place, the folder that is there stays")


@nodes_app.command()
def move(
    name: NameArgument,
    ttl: Annotated[str, typer.Option("--ttl", help="How long the token is valid.")] = "1d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is to be carried; makes no token.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a node to another machine: what to carry there by hand, and the command by which it takes the node's place."""
    from holdfast.core.units import parse_duration_s

    answer = master_client(home).post(path_of("nodes", name, "move"), {"ttl_s": parse_duration_s(ttl), "dry_run": dry_run})
    if as_json:
        print_json(answer)
        return
    say(
        one_line(
            f"stop {answer['node']} on the old machine, then carry to the same places on the new one (its owners, modes and times, too):"
        )
    )
    say()
    print_table(("WHAT", "WHERE", "OF", "LEFT BEHIND"), [(c["what"], c["where"], c["name"], c["otherwise"]) for c in answer["carry"]])
    if answer["token"] is not None:
        say()
        say("there, as the user that may read the data; from then on the key of the old machine opens nothing:")
        say()
        say(answer["token"]["command"])


def all_nodes(client: ApiClient) -> list[dict[str, Any]]:
    """Page by page."""
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = client.get("/nodes", after=after)
        found += page["nodes"]
        after = page["next"]
    return found


def _print_order(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    say(one_line(f"Master {answer['master']}" + ("  next: a node is newer" if answer["master_first"] else "")))
    words = [(n, "next" if n["next"] else f"turn {n['turn']}" if n["turn"] else "-") for n in answer["nodes"]]
    print_table(("NODE", "VERSION", "UPGRADE", "WHY"), [(n["name"], n["version"] or "-", word, n["why"]) for n, word in words])


def _last_seen(node: dict[str, Any]) -> str:
    return "now" if node["state"] == "online" else age(node.get("last_seen"), now(SystemClock()))


def _rules_of(node: dict[str, Any]) -> str:
    """The generation in force there, and the newest one when it has not arrived yet."""
    if not node["wanted_generation"]:
        return "none"
    in_force, wanted = node["generation"] or "none", node["wanted_generation"]
    return str(in_force) if in_force == wanted else f"{in_force}, {wanted} is waiting"


def _lines_text(rules: dict[str, Any]) -> str:
    import msgspec

    from holdfast.compiler.summary import NodeSummary, Summary, format_summary

    node = msgspec.convert({"node": rules["node"], "lines": rules["lines"]}, NodeSummary)
    return format_summary(Summary(flows=(), nodes=(node,))).rstrip()


def _print_limits(limits: dict[str, Any] | None) -> None:
    if limits is None:
        note("its limits are not known: the machine does not answer")
        return
    for verb, roots in (("read", limits["read"]), ("write", limits["write"])):
        say(one_line(f"may {verb}: {'everywhere' if roots is None else ', '.join(roots) or 'nowhere'}"))
    say(one_line(f"hooks: {limits['hooks'] or 'none'}"))
