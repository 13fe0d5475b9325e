"""The `bitbylaw` command."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bitbylaw.cli.up.command import Options, up
from bitbylaw.cli.up.inject import publish
from bitbylaw.cli.up.layout import read_dotenv
from bitbylaw.common.errors import BusUnavailable, ConfigurationError
from bitbylaw.common.telemetry.logging import LogFormat, LogLevel, configure_logging

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


@app.command("pub")
def _pub(
    subject: Annotated[str, typer.Argument(help="vmh.<entity>.<action>, for example vmh.document.update")],
    payload: Annotated[str, typer.Argument(help='JSON, for example \'{"entity_id":"6b04cd43a189d3089"}\'')],
) -> None:
    """Put an event in by hand, like `nats pub`, and wait until it is stored."""
    try:
        asyncio.run(publish({**read_dotenv(Path(".env")), **os.environ}, subject, [payload.encode()]))
    except ConfigurationError as error:
        sys.stderr.write("".join(f"configuration: {fault}\n" for fault in error.faults))
        raise typer.Exit(2) from None
    except BusUnavailable as error:
        sys.stderr.write(f"not stored: {error}\n")
        raise typer.Exit(1) from None
    typer.echo("stored")


def main() -> None:
    """Entry point of the installed command."""
    if sys.platform == "win32":
        sys.stderr.write("bitbylaw runs on Linux and macOS\n")
        sys.exit(os.EX_USAGE)
    configure_logging("bitbylaw", LogFormat.CONSOLE, LogLevel.WARNING)
    app()


if __name__ == "__main__":
    main()
