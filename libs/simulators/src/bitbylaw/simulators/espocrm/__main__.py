"""Run the simulated EspoCRM as a process: `python -m bitbylaw.simulators.espocrm --port 8080 --state DIR`.

Prints one line of JSON when it is ready: its address, the base of its API, and its users with their throw-away keys.
"""

import argparse
import asyncio
from pathlib import Path

import msgspec

from bitbylaw.simulators.espocrm.app import BASE
from bitbylaw.simulators.espocrm.catalogue import captured_schema, law_firm_schema
from bitbylaw.simulators.espocrm.config import PROMPT_WEBHOOKS, EspoConfig
from bitbylaw.simulators.espocrm.simulator import EspoSimulator
from bitbylaw.simulators.server import serve_until_stopped

_SCHEMAS = {"law-firm": law_firm_schema, "captured": captured_schema}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bitbylaw.simulators.espocrm", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state", type=Path, help="directory that keeps the firm across restarts")
    parser.add_argument("--schema", choices=sorted(_SCHEMAS), default="law-firm")
    parser.add_argument("--link-hook", action="store_true", help="fire link and unlink, like the custom PHP hook")
    parser.add_argument("--webhook-interval", type=float, default=PROMPT_WEBHOOKS.interval, help="seconds")
    parser.add_argument("--event-portion", type=int, default=PROMPT_WEBHOOKS.event_portion)
    parser.add_argument("--allow-webhook", action="append", default=[], metavar="HOST:PORT")
    return parser.parse_args()


def _config(arguments: argparse.Namespace) -> EspoConfig:
    webhooks = msgspec.structs.replace(
        PROMPT_WEBHOOKS,
        interval=arguments.webhook_interval,
        event_portion=arguments.event_portion,
        allowed_addresses=frozenset(arguments.allow_webhook),
    )
    return EspoConfig(
        schema=_SCHEMAS[arguments.schema](),
        webhooks=webhooks,
        link_hook=arguments.link_hook,
        state_dir=arguments.state,
    )


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments = _arguments()
    simulator = EspoSimulator(_config(arguments))
    keys = {name: user.api_key for name, user in simulator.users.items() if user.api_key}
    announcement = {"api_path": BASE, "api_keys": keys}
    asyncio.run(serve_until_stopped(simulator.app, arguments.port, arguments.host, announcement))


if __name__ == "__main__":
    main()
