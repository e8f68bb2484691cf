"""What looked like the destruction of a dataset: list it, and say what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.commands.look import DatasetOption, exit_for_unreachable
from holdfast.cli.datasets import refuse_unknown_dataset
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.cli.sections import new_group

anomaly_app = new_group("Say what an anomaly was.")
IdArgument = Annotated[str, typer.Argument(help="Its id or the beginning of it; `holdfast anomalies` lists them.")]


def register(app: typer.Typer) -> None:
    app.command()(anomalies)


def anomalies(dataset: DatasetOption = "", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Changes that looked like the destruction of a dataset, newest first. Exit 3 when nobody has judged one."""
    answer = found_anomalies(resolve_home(home), dataset)
    rows = answer["anomalies"]
    if dataset and not rows:
        refuse_unknown_dataset(resolve_home(home), dataset)
    if as_json:
        print_json(rows)
    elif rows:
        cells = [
            (
                row["id"][:8],
                row["dataset"],
                row["repository"],
                _state(row),
                local_time(row["clean_at"]),
                local_time(row["since"]),
                _what(row),
            )
            for row in rows
        ]
        print_table(("ANOMALY", "DATASET", "REPOSITORY", "STATE", "LAST CLEAN", "SINCE", "WHAT"), cells)
        for row in rows:
            if _state(row) == "open":
                for path in row.get("paths", ())[:5]:
                    note(one_line(f"  {path}"))
    else:
        note("no anomalies")
    exit_for_unreachable(answer)
    if any(_state(row) == "open" for row in rows):
        raise typer.Exit(exit_codes.WARNINGS)


@anomaly_app.command()
def dismiss(anomaly: IdArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """It was a false alarm: nothing is suspect, nothing is held for it any more."""
    _judge(resolve_home(home), anomaly, confirmed=False, as_json=as_json)


@anomaly_app.command()
def confirm(anomaly: IdArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """It was what it looked like: the points before stay held, and states from now on are clean again."""
    _judge(resolve_home(home), anomaly, confirmed=True, as_json=as_json)


def found_anomalies(place: Path, dataset: str = "") -> dict[str, Any]:
    """Of the Master, else of this machine's own repositories."""

    def here(home: Path) -> dict[str, Any]:
        from holdfast.model.questions import AskStatus

        repositories = plain(ask_agent(home, AskStatus())).get("repositories", ())
        rows = [row for repository in repositories for row in repository.get("anomalies", ())]
        return {"anomalies": [row for row in rows if dataset in ("", row["dataset"], row["dataset_id"])]}

    answer: dict[str, Any] = through_master_or_agent(place, lambda client: client.get("/anomalies", dataset=dataset), here)
    return answer


def _judge(place: Path, anomaly: str, *, confirmed: bool, as_json: bool) -> None:
    def by_master(client: ApiClient) -> dict[str, Any]:
        answer: dict[str, Any] = client.post(f"{path_of('anomalies', anomaly)}/judge", {"confirmed": confirmed})
        return answer

    def by_agent(home: Path) -> dict[str, Any]:
        from holdfast.model.anomalies import AskJudgeAnomaly

        return plain(ask_agent(home, AskJudgeAnomaly(id=anomaly, confirmed=confirmed)))

    answer = through_master_or_agent(place, by_master, by_agent)
    if as_json:
        print_json(answer["anomalies"])
        return
    for row in answer["anomalies"]:
        say(one_line(f"{row['id'][:8]} of {row['dataset']} in {row['repository']}: {_state(row)}"))


def _state(row: dict[str, Any]) -> str:
    """What is not written is open."""
    return str(row.get("state") or "open")


def _what(row: dict[str, Any]) -> str:
    return ", ".join(f"{signal['count']} {signal['kind']}" for signal in row.get("signals", ())) or "-"
