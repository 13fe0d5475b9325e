"""A simulated xAI as a process: `python -m bitbylaw.simulators.xai --port 8081 --state DIR`.

Prints one line of JSON when it listens: `url` and `port`, `api_path` (`/v1`, which serves both hosts below `url`), and
the two throw-away keys. SIGTERM drains and saves.
"""

import argparse
import asyncio
from pathlib import Path

from bitbylaw.simulators.server import serve_until_stopped
from bitbylaw.simulators.xai.app import BASE
from bitbylaw.simulators.xai.config import XaiConfig
from bitbylaw.simulators.xai.simulator import application_of, world_of


def main() -> None:
    """Read the command line and serve until stopped."""
    arguments = _parser().parse_args()
    config = XaiConfig(
        api_key=arguments.api_key,
        management_key=arguments.management_key,
        processing_time=arguments.processing_seconds,
        state_dir=arguments.state,
    )
    with world_of(config) as world:
        keys = {"api_key": config.api_key, "management_key": config.management_key, "api_path": BASE}
        application = application_of(world)
        asyncio.run(serve_until_stopped(application.app, arguments.port, arguments.host, keys))


def _parser() -> argparse.ArgumentParser:
    usual = XaiConfig()
    parser = argparse.ArgumentParser(prog="bitbylaw.simulators.xai", description="A simulated xAI.")
    parser.add_argument("--port", type=int, default=8081, help="port to listen on, 0 for a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--state", type=Path, default=None, help="directory that keeps files and collections")
    parser.add_argument("--api-key", default=usual.api_key, help="key of the Files host")
    parser.add_argument("--management-key", default=usual.management_key, help="key of the management host")
    parser.add_argument("--processing-seconds", type=float, default=usual.processing_time, help="time to index")
    return parser


if __name__ == "__main__":
    main()
