"""Notifications: what is told to whom. Addresses of channels are typed or read from a file, and never shown again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.sections import new_group
from holdfast.cli.typed_secrets import read_secret
from holdfast.core.errors import Conflict, UnknownName
from holdfast.core.units import format_duration, parse_duration_s

notify_app = new_group("What is told to whom, and by which channels.")
channel_app = new_group("Where notifications go.")
notify_app.add_typer(channel_app, name="channel")
_TAKEN_BACK = "An empty text (`--kind ''`) takes a choice back."
_LISTS = ("kinds", "nodes", "flows", "datasets", "tags", "quiet")

To = Annotated[list[str] | None, typer.Option("--to", help="A channel; may be repeated.")]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="Codes of what is told, `*` allowed: gap, node-away, drill-*. All without it.")
]
Severity = Annotated[str | None, typer.Option("--severity", help="At least info, warning (default) or error.")]
Nodes = Annotated[list[str] | None, typer.Option("--node", help="Only of these nodes; `*` allowed.")]
Flows = Annotated[list[str] | None, typer.Option("--flow", help="Only of what is in these flows.")]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", help="Only of these datasets; `*` allowed.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Only of nodes with one of these tags.")]
Stop = Annotated[bool | None, typer.Option("--stop/--no-stop", help="Rules behind this one do not see what it chose.")]
After = Annotated[str | None, typer.Option("--after", help="Tell what stands only once it has stood that long, such as 15m.")]
Digest = Annotated[str | None, typer.Option("--digest", help="Collect for that long and send one message.")]
Repeat = Annotated[str | None, typer.Option("--repeat", help="Tell what still stands again that often.")]
Quiet = Annotated[list[str] | None, typer.Option("--quiet", help="A window in which nothing is sent, such as 22:00-07:00.")]
Zone = Annotated[str | None, typer.Option("--zone", help="Time zone of the quiet windows (UTC).")]
Recovery = Annotated[bool | None, typer.Option("--recovery/--no-recovery", help="Tell it, too, when it is over.")]
Place = Annotated[int | None, typer.Option("--place", min=1, help="Which in the order of the rules, from 1.")]
Enabled = Annotated[bool | None, typer.Option("--enable/--disable", help="A disabled rule is as if it were not there.")]


@notify_app.command("ls")
def ls(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Rules in the order in which they are asked, and channels with how they do."""
    answer = master_client(home).get("/notifications")
    if as_json:
        print_json(answer)
        return
    if answer["rules"]:
        print_table(("", "RULE", "TO", "CHOOSES", "HOW"), [_rule_cells(n, rule) for n, rule in enumerate(answer["rules"], 1)])
    else:
        note("no rules: nobody is told anything; `holdfast notify add` makes one")
    if answer["channels"]:
        say()
        print_table(("CHANNEL", "SERVICE", "LAST SENT", "WAITING", "STATE"), [_channel_cells(channel) for channel in answer["channels"]])


@notify_app.command("now")
def now(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What stands now, and which rules tell it to whom. Nobody is told by looking."""
    answer = master_client(home).get("/notifications/now")
    if as_json:
        print_json(answer)
        return
    if answer["notices"]:
        print_table(("SEVERITY", "SINCE", "CODE", "ABOUT", "TOLD"), [_now_cells(each) for each in answer["notices"]])
    else:
        note("nothing stands that a rule could tell")
    if answer["unknown"]:
        note(f"not known since the Master started: {', '.join(answer['unknown'])}")


@notify_app.command("edit", help=f"Change what is given of a rule, and leave the rest. {_TAKEN_BACK}")
@notify_app.command("add", help="Make a rule. What is not given chooses everything.")
def change(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The rule.")],
    to: To = None,
    kind: Kinds = None,
    severity: Severity = None,
    node: Nodes = None,
    flow: Flows = None,
    dataset: Datasets = None,
    tag: Tags = None,
    stop: Stop = None,
    after: After = None,
    digest: Digest = None,
    repeat: Repeat = None,
    quiet: Quiet = None,
    zone: Zone = None,
    recovery: Recovery = None,
    place: Place = None,
    enable: Enabled = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    given = _given(locals())
    client = master_client(home)
    known = {rule["name"]: rule for rule in client.get("/notifications")["rules"]}
    is_new = context.info_name == "add"
    if is_new and name in known:
        raise Conflict(f"there is a notify rule {name!r} already", hint=f"`holdfast notify edit {name}` changes it")
    if not is_new and name not in known:
        raise UnknownName(f"there is no notify rule {name!r}", hint="`holdfast notify ls` lists them")
    _put(client, known.get(name, {"name": name}), given, place, as_json)


@notify_app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="The rule.")], home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Take a rule away, with what it would still send."""
    answer = master_client(home).delete(path_of("notifications/rules", name))
    print_json(answer) if as_json else say(f"rule {name} is gone")


@notify_app.command("test")
def send_test(channel: Annotated[str, typer.Argument(help="The channel.")], home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Send a message by a channel now, and say whether its service took it."""
    answer = master_client(home).post(path_of("notifications/channels", channel, "test"))
    print_json(answer) if as_json else say(f"channel {channel} took the message")


@channel_app.command("set")
def set_channel(
    name: Annotated[str, typer.Argument(help="How the channel is called.")],
    url_file: Annotated[Path | None, typer.Option("--url-file", help="A file with the address; `-` is standard input.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a channel, or give it another address: asked for on a terminal, for it holds secrets. See docs/notifications.md."""
    url = read_secret("Address of the service", url_file)
    answer = master_client(home).put(path_of("notifications/channels", name), {"secret_url": url})
    print_json(answer) if as_json else say(f"channel {name} is there; `holdfast notify test {name}` tries it")


@channel_app.command("remove")
def remove_channel(name: Annotated[str, typer.Argument(help="The channel.")], home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Take a channel away that no rule names."""
    answer = master_client(home).delete(path_of("notifications/channels", name))
    print_json(answer) if as_json else say(f"channel {name} is gone")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a rule that these options change."""
    names = {"kind": "kinds", "node": "nodes", "flow": "flows", "dataset": "datasets", "tag": "tags", "enable": "enabled"}
    plain = ("to", "severity", "stop", "zone", "recovery", "quiet", *names)
    found = {names.get(key, key): options[key] for key in plain if options[key] is not None}
    spans = {f"{key}_s": parse_duration_s(options[key]) for key in ("after", "digest", "repeat") if options[key] is not None}
    lists = {key: [word for word in found[key] if word] for key in _LISTS if key in found}
    return {**found, **spans, **lists}


def _put(client: ApiClient, known: dict[str, Any], given: dict[str, Any], place: int | None, as_json: bool) -> None:
    body = {**known, "to": known.get("to", []), **given}
    name = body.pop("name")
    if place is not None:
        body["place"] = place - 1
    answer = client.put(path_of("notifications/rules", name), body)
    print_json(answer) if as_json else say(f"rule {name} is in force")


def _rule_cells(number: int, rule: dict[str, Any]) -> tuple[str, ...]:
    chooses = [f"{rule['severity']} and worse", *(f"{key}: {', '.join(rule[key])}" for key in _LISTS[:-1] if rule[key])]
    words = (("after", rule["after_s"]), ("digest", rule["digest_s"]), ("repeat", rule["repeat_s"]))
    how = [f"{word} {format_duration(seconds)}" for word, seconds in words if seconds]
    how += [f"quiet {', '.join(rule['quiet'])} {rule['zone']}"] if rule["quiet"] else []
    how += ["stop"] if rule["stop"] else []
    how += [] if rule["recovery"] else ["no recovery"]
    how += [] if rule["enabled"] else ["disabled"]
    return str(number), one_line(rule["name"]), ", ".join(rule["to"]), one_line("; ".join(chooses)), "; ".join(how) or "-"


def _now_cells(standing: dict[str, Any]) -> tuple[str, ...]:
    notice = standing["notice"]
    told = "; ".join(_told(rule) for rule in standing["rules"]) or "to nobody"
    return notice["severity"], local_time(standing["since"]), notice["code"], one_line(notice["subject"]), one_line(told)


def _told(rule: dict[str, Any]) -> str:
    words = [f"{rule['rule']} to {', '.join(rule['to'])}"]
    words += [f"told {local_time(rule['told_at'])}"] if rule["told_at"] else []
    words += [f"due {local_time(rule['due_at'])}"] if rule["due_at"] else []
    return ", ".join(words)


def _channel_cells(channel: dict[str, Any]) -> tuple[str, ...]:
    state = "ok" if channel["sent_at"] else "not tried yet"
    if channel["failing_since"]:
        state = one_line(f"fails since {local_time(channel['failing_since'])}: {channel['error']}")
    return (
        channel["name"],
        channel["service"],
        local_time(channel["sent_at"]) if channel["sent_at"] else "-",
        str(channel["waiting"]),
        state,
    )
