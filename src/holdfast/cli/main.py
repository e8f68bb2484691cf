"""The `holdfast` command: collects the commands and turns errors into messages and exit codes.

Heavy imports live inside the commands, so that `holdfast --help` is quick.
"""

from __future__ import annotations

import sys

import typer

from holdfast.cli import exit_codes
from holdfast.cli.commands import cluster, environment, look, recover, repository, run
from holdfast.cli.output import print_error
from holdfast.core.errors import HoldfastError

app = typer.Typer(
    name="holdfast",
    help="Draw what is to happen with your data; every machine keeps it.",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
for module in (cluster, environment, run, look, recover):
    module.register(app)
app.add_typer(cluster.master_app, name="master")
app.add_typer(cluster.node_app, name="node")
app.add_typer(repository.repository_app, name="repository")


def _version(wanted: bool) -> None:
    if wanted:
        from holdfast import __version__

        typer.echo(f"holdfast {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and exit."),
) -> None:
    """Draw what is to happen with your data; every machine keeps it."""


def main() -> None:
    """Entry point. Exit codes are those of `exit_codes`; a fault of ours shows its traceback and exits 1."""
    try:
        app()
    except HoldfastError as error:
        print_error(error.facts())
        sys.exit(exit_codes.exit_code_of(error.code))
    except KeyboardInterrupt:
        sys.exit(exit_codes.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(exit_codes.FAILED)


if __name__ == "__main__":
    main()
