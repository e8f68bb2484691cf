"""Describing what is to happen: the environment document, compiling and activating flows, and `protect`, which does it all at once."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.commands.schedules import print_simulation
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import note, print_diagnostics, print_error, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.setup import node_name
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import ErrorFacts, Refused, UsageError
from holdfast.core.units import format_duration, parse_duration_s, parse_time

FileArgument = Annotated[str, typer.Argument(help="The environment document; `-` reads standard input.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Agree to what the document no longer names. Data is never destroyed by this.")]
FlowArgument = Annotated[str, typer.Argument(help="Name of the flow.")]
_MOST_FLOWS = 5


def register(app: typer.Typer) -> None:
    for command in (plan, apply, export, compile_flow, activate, deactivate, protect):
        app.command(name="compile" if command is compile_flow else command.__name__)(command)


def plan(
    file: FileArgument,
    simulate: Annotated[str, typer.Option("--simulate", help="Also what it would do in this time, like 30d, all of it active.")] = "",
    from_: Annotated[str, typer.Option("--from", help="When --simulate begins (default: now).")] = "now",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a document and show what applying it would change. Changes nothing."""
    client, text = master_client(home), _read(file)
    answer = client.post("/environment/plan", {"text": text})
    if simulate and answer["valid"]:
        answer["simulated"] = _simulated(client, text, simulate, from_)
    if as_json:
        print_json(answer)
    else:
        print_diagnostics(answer["diagnostics"])
        if answer["valid"]:
            _print_changes(answer["changes"], answer["removals"])
            _print_flow_errors(answer, f"holdfast compile FLOW --file {shlex.quote(file)}")
            _print_simulated(answer)
        else:
            note("this document cannot be applied: mend the errors above")
    raise typer.Exit(exit_codes.OK if answer["valid"] else exit_codes.USAGE)


def _print_flow_errors(planned: dict[str, Any], command: str) -> None:
    """What would keep its flows from being activated: warnings, for the document can be applied. `command` looks at one flow alone."""
    found, untried = planned["flow_errors"], planned["untried_flows"]
    told = [{**each["error"], "level": "warning", "message": f"{_flows(each['flows'])}: {each['error']['message']}"} for each in found]
    print_diagnostics(_unsaid(told, planned["diagnostics"]))
    barred = {flow for each in found for flow in each["flows"]}
    if barred:
        note(f"activating {_flows(sorted(barred))} would be refused; of one flow: {command}")
    if untried:
        note(f"too many to look at each, and there may be errors too: {_flows(untried)}; of one flow: {command}")


def _flows(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_MOST_FLOWS])
    more = f" and {len(names) - _MOST_FLOWS} more" if len(names) > _MOST_FLOWS else ""
    return f"flow{'s' if len(names) > 1 else ''} {shown}{more}"


def _unsaid(diagnostics: list[Any], said: list[Any]) -> list[Any]:
    """Those that were not printed yet: the document and its compilation can find the same."""
    known = {(each["code"], each["where"]["path"]) for each in said}
    return [each for each in diagnostics if (each["code"], each["where"]["path"]) not in known]


def _simulated(client: ApiClient, text: str, span: str, begin: str) -> Any:
    days = math.ceil(parse_duration_s(span) / 86_400)
    since = parse_time(begin, now(SystemClock()), None).isoformat()
    return client.post("/environment/simulate", {"text": text, "days": days, "since": since})


def _print_simulated(planned: dict[str, Any]) -> None:
    answer = planned.get("simulated")
    if answer is None:
        return
    say()
    if answer["simulation"] is None:
        said = [*planned["diagnostics"], *(each["error"] for each in planned["flow_errors"])]
        print_diagnostics(_unsaid(answer["diagnostics"], said))
        note("this document cannot be activated as it is, so there is nothing to simulate")
    else:
        print_simulation(answer["simulation"])


def apply(
    file: FileArgument,
    activate_too: Annotated[bool, typer.Option("--activate", help="Activate every flow of the document afterwards.")] = False,
    yes: YesOption = False,
    base: Annotated[
        int | None, typer.Option("--base", help="The revision that the file was made from: refused when a newer one is there.")
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="With --base: join the file with what others applied since.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a document the new draft. What machines do changes only with `activate`."""
    client, text = master_client(home), _read(file)
    if merge:
        text, base = _merge(client, text, base, as_json)
    planned = client.post("/environment/plan", {"text": text})
    if not planned["valid"]:
        if as_json:
            print_json(planned)
        else:
            print_diagnostics(planned["diagnostics"])
            note("nothing was applied: mend the errors above")
        raise typer.Exit(exit_codes.USAGE)
    base = planned["revision"] if base is None else base
    if planned["removals"] and not yes and base == planned["revision"]:
        gone = ", ".join(f"{removal['what']} {removal['name']}" for removal in planned["removals"])
        raise Refused(f"this document removes {gone}", hint="add --yes to agree; stored data stays where it is")
    applied = client.put("/environment", {"text": text, "base_revision": base, "accept_removals": yes, "comment": ""})
    activations = [_activate(client, flow["name"]) for flow in client.get("/flows")["flows"]] if activate_too else []
    if as_json:
        foreseen = {key: planned[key] for key in ("flow_errors", "untried_flows")}
        print_json({**applied, **({"activations": activations} if activate_too else foreseen)})
    else:
        print_diagnostics(applied["diagnostics"])
        _print_changes(applied["changes"], [])
        say(f"draft is revision {applied['revision']}")
        if not activate_too:
            _print_flow_errors(planned, "holdfast compile FLOW")
        for activation in activations:
            _print_activation(activation)
    raise typer.Exit(max((_activation_exit(a) for a in activations), default=exit_codes.OK))


def _merge(client: ApiClient, text: str, base: int | None, as_json: bool) -> tuple[str, int]:
    """The merged text and the newest revision. Ends the command where somebody must decide."""
    if base is None:
        raise UsageError(
            "--merge needs to know what the file was made from", hint="add --base REVISION, as `holdfast export --json` shows it"
        )
    merged = client.post("/environment/merge", {"base_revision": base, "text": text})
    if merged["clean"]:
        return merged["text"], merged["newest_revision"]
    if as_json:
        print_json(merged)
    else:
        for conflict in merged["conflicts"]:
            note(f"conflict: {'.'.join(map(str, conflict['path']))}")
            for side, title in (("base", f"revision {base}"), ("mine", "your file"), ("theirs", f"revision {merged['newest_revision']}")):
                note(f"  {title}: {'nothing' if conflict[side] is None else json.dumps(conflict[side], ensure_ascii=False)}")
        note("nothing was applied: make the file agree with the newest revision in these places, and name that one with --base")
    raise typer.Exit(exit_codes.REFUSED)


def export(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the draft document as it was written, comments and all."""
    answer = master_client(home).get("/environment")
    if as_json:
        print_json(answer)
    else:
        sys.stdout.write(answer["text"])


def compile_flow(
    flow: FlowArgument,
    file: Annotated[str, typer.Option("--file", help="Compile the flow as it stands in this document; `-` reads standard input.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compile a flow and show what each machine would do. Changes nothing."""
    answer = master_client(home).post(path_of("flows", flow, "compile"), {"text": _read(file)} if file else {})
    if as_json:
        print_json(answer)
    else:
        print_diagnostics(answer["diagnostics"])
        if answer["valid"]:
            say(answer["summary_text"].rstrip())
    raise typer.Exit(exit_codes.OK if answer["valid"] else exit_codes.USAGE)


def activate(flow: FlowArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Freeze and compile a flow, and hand every machine its rules."""
    answer = _activate(master_client(home), flow)
    if as_json:
        print_json(answer)
    else:
        _print_activation(answer)
    raise typer.Exit(_activation_exit(answer))


def deactivate(flow: FlowArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Stop a flow: machines forget its rules. What is stored stays."""
    answer = master_client(home).post(path_of("flows", flow, "deactivate"))
    if as_json:
        print_json(answer)
    else:
        say(f"flow {flow} is not active any more; stored data stays where it is")


def protect(
    path: Annotated[Path, typer.Argument(help="Folder or file to protect.")],
    to: Annotated[str, typer.Option("--to", help="Where the repository lies: a folder of the machine, or s3://BUCKET/PREFIX.")],
    every: Annotated[str, typer.Option("--every", help="How often a point is due.", show_default="1h")] = "",
    cdp: Annotated[str, typer.Option("--cdp", help="Follow it as it changes: every moment of this span can be restored, like 24h.")] = "",
    node: Annotated[str, typer.Option("--node", help="Machine that holds the path (default: this one).")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Protect a path with one command: writes policy, repository and flow into the document and activates them."""
    location = to if "://" in to else _absolute(Path(to))
    here = node_name(resolve_home(home))
    body = {"path": _absolute(path), "location": location, "every": every, "cdp": cdp, "node": node or here}
    client = master_client(home)
    if here and body["node"] == here and not os.path.lexists(body["path"]):
        raise UsageError(f"{body['path']} does not exist on this machine", hint="correct the path, or name another machine with --node")
    answer = client.post("/protect", body)
    problem, code = answer.get("problem"), _activation_exit(answer["activation"])
    code = exit_codes.WARNINGS if code == exit_codes.OK and problem else code
    if as_json:
        print_json(answer)
        raise typer.Exit(code)
    _print_activation(answer["activation"])
    if problem:
        say(f"\n{body['path']} is not protected yet: repository {answer['repository']} cannot be used, {location}")
        print_error(ErrorFacts(problem["code"], problem["message"], problem["hint"]))
        note("what is due is tried again by itself; `holdfast status` says how it does")
    elif code == exit_codes.OK:
        _print_protected(answer, body)
    raise typer.Exit(code)


def _print_protected(answer: dict[str, Any], wish: dict[str, str]) -> None:
    points = f"a point every {format_duration(answer['every_s'])}" if answer["every_s"] else "points at the times of its policy"
    say(f"\n{wish['path']} is protected as {answer['dataset']}: {points} in repository {answer['repository']}, {wish['location']}")
    if wish["cdp"]:
        say(f"  followed:     every moment of the last {wish['cdp']} can be restored; holdfast status says how far it is behind")
    say(f"  now:          holdfast trigger {answer['flow']} --first --wait")
    say(f"  what is kept: holdfast points --dataset {answer['dataset']}")
    say(f"  get it back:  holdfast restore --dataset {answer['dataset']} --to FOLDER")
    say(f'  with restic:  eval "$(holdfast repository env {answer["repository"]})"; restic snapshots')


def _absolute(path: Path) -> str:
    """Absolute and without `..`, which would lead elsewhere when a folder on the way is a symlink: then it is followed."""
    given = path.expanduser().absolute()
    return str(given.resolve() if ".." in given.parts else given)


def _read(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", hint="name a readable file, or - for standard input") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text: byte {error.start}", hint="save the document as UTF-8") from None


def _activate(client: ApiClient, flow: str) -> dict[str, Any]:
    return client.post(path_of("flows", flow, "activate"))


def _activation_exit(activation: dict[str, Any]) -> int:
    if not activation["valid"]:
        return exit_codes.USAGE
    if activation.get("rolled_back"):
        return exit_codes.REFUSED
    return exit_codes.WARNINGS if any(node["state"] == "pending" for node in activation["nodes"]) else exit_codes.OK


def _print_changes(changes: list[dict[str, Any]], removals: list[Any]) -> None:
    signs = {"added": "+", "removed": "-", "changed": "~"}
    for change in changes:
        details = change.get("details") or ""
        shown = "; ".join(details) if isinstance(details, list) else details
        say(f"{signs.get(change['kind'], ' ')} {change['what']} {change['name']}{': ' + shown if shown else ''}")
    if not changes:
        say("nothing changes")
    if removals:
        note(f"{len(removals)} removal(s); `apply` needs --yes for them, stored data is never destroyed by it")


def _print_activation(activation: dict[str, Any]) -> None:
    print_diagnostics(activation["diagnostics"])
    if not activation["valid"]:
        note(f"flow {activation['flow']} was not activated: mend the errors above")
        return
    say(activation["summary_text"].rstrip())
    say()
    rows = [(n["node"], n["state"], n.get("generation", "")) for n in activation["nodes"]]
    print_table(("NODE", "RULES", "GENERATION"), rows)
    for node in activation["nodes"]:
        for problem in node.get("problems") or []:
            note(f"{node['node']} refuses: {problem['message']} [{problem['code']}]")
            if problem.get("hint"):
                note(f"  hint: {problem['hint']}")
    if activation.get("rolled_back"):
        note(f"flow {activation['flow']} was rolled back: every machine keeps its old rules")
    elif any(node["state"] == "pending" for node in activation["nodes"]):
        note("machines that are offline get their rules when they return")
