"""Load the sample firm by hand: `python -m bitbylaw.simulators.firm --url http://…/api/v1 --api-key …`.

With `--write-to DIR` the files are written there instead, to be looked at.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import aiohttp

from bitbylaw.simulators.firm.founding import law_firm
from bitbylaw.simulators.firm.loader import LoadFailed, LoadProgress, load
from bitbylaw.simulators.firm.model import Firm


def main() -> None:
    """Read the command line and do it; exit with 1 when EspoCRM refuses."""
    parser = _parser()
    arguments = parser.parse_args()
    firm = law_firm(arguments.seed)
    if arguments.write_to is not None:
        print(f"{len(firm.write_to(arguments.write_to))} files in {arguments.write_to}")  # noqa: T201 - a command prints
    elif arguments.url is None or arguments.api_key is None:
        parser.error("--url and --api-key are needed, or --write-to")
    else:
        _load(firm, arguments.url, arguments.api_key)


def _load(firm: Firm, url: str, api_key: str) -> None:
    try:
        loaded = asyncio.run(load(firm, url, api_key, on_progress=_show))
    except (LoadFailed, aiohttp.ClientError) as error:
        sys.exit(f"Loading failed: {error}")
    print(f"{loaded.created} records created")  # noqa: T201 - a command prints


def _show(progress: LoadProgress) -> None:
    print(f"{progress.done}/{progress.total} {progress.name}")  # noqa: T201 - a command prints


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bitbylaw.simulators.firm", description="A sample law firm for EspoCRM.")
    parser.add_argument("--url", help="base of the REST API, ends in /api/v1")
    parser.add_argument("--api-key", help="key of an API user that may create records")
    parser.add_argument("--seed", type=int, default=1, help="another number makes another firm")
    parser.add_argument("--write-to", type=Path, metavar="DIR", help="write the files there instead")
    return parser


if __name__ == "__main__":
    main()
