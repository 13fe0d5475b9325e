"""The `bitbylaw` command."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bitbylaw.cli.up.command import Options, up

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Run and operate BitByLaw.")


@app.callback()
def _root() -> None:
    """Run and operate BitByLaw."""


@app.command("up")
def _up(
    *,
    exit_when_synced: Annotated[
        bool, typer.Option("--exit-when-synced", help="End when every document is in xAI (0), or cannot be (1)")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Longest wait of --exit-when-synced, in seconds", min=1)] = 600,
    data: Annotated[Path, typer.Option(help="Where data and logs go")] = Path(".data"),
) -> None:
    """Run the whole suite on this machine, with simulators for what has no credentials."""
    raise typer.Exit(up(Options(data=data.resolve(), exit_when_synced=exit_when_synced, timeout=timeout)))


def main() -> None:
    """Entry point of the installed command."""
    if sys.platform == "win32":
        sys.stderr.write("bitbylaw runs on Linux and macOS\n")
        sys.exit(os.EX_USAGE)
    app()


if __name__ == "__main__":
    main()
