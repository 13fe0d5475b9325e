"""A service as a process: configuration checked first, signals, drain, exit codes.

Exit codes: 0 drained, 1 a fault while running, 2 a fault in the configuration.
"""

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
import uvloop

from bitbylaw.common.errors import ConfigurationError
from bitbylaw.common.service.health import Health
from bitbylaw.common.service.ops import ops_app, serving
from bitbylaw.common.settings import OpsSettings, load
from bitbylaw.common.telemetry.logging import configure_logging, get_logger
from bitbylaw.common.telemetry.metrics import Metrics

#: Seconds a drain may take; Kubernetes' grace period must be longer.
DRAIN_GRACE = 25.0

#: Seconds after which a task that was cancelled and goes on is cancelled again.
CANCEL_AGAIN = 0.2

#: New objects before the garbage collector looks at the young, the middle-aged, the old ones. A request or a run makes
#: hundreds that live as long as it does; with Python's 700 the collector found nothing, for tens of ms, often.
GARBAGE = (20_000, 20, 50)

EXIT_OK, EXIT_FAULT, EXIT_CONFIGURATION = 0, 1, 2

_Settings = TypeVar("_Settings", bound=msgspec.Struct)


class Context(msgspec.Struct, frozen=True):
    """What a running service is given: `stop` is set when it must drain."""

    environ: Mapping[str, str]
    metrics: Metrics
    health: Health
    stop: asyncio.Event


def main(
    name: str,
    settings: Callable[[Mapping[str, str]], _Settings],
    serve: Callable[[_Settings, Context], Awaitable[None]],
) -> int:
    """Run the service `name`: read its settings, then `serve` until a signal; the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m bitbylaw.{name.replace('-', '_')}")
    parser.add_argument("--check", action="store_true", help="validate the configuration and exit")
    arguments = parser.parse_args()
    try:
        loaded, ops = _load(settings, os.environ)
    except ConfigurationError as error:
        for fault in error.faults:
            sys.stderr.write(f"configuration: {fault}\n")
        return EXIT_CONFIGURATION
    if arguments.check:
        sys.stdout.write("configuration: ok\n")
        return EXIT_OK
    configure_logging(name, ops.log_format, ops.log_level)
    _spare_the_collector()
    return uvloop.run(_run(name, loaded, ops, serve))


def _spare_the_collector() -> None:
    """What stands now (code, above all) stands until the end: the garbage collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def _load(
    settings: Callable[[Mapping[str, str]], _Settings], environ: Mapping[str, str]
) -> tuple[_Settings, OpsSettings]:
    """Both parts, with the faults of both together."""
    faults: list[str] = []
    loaded, ops = None, None
    try:
        loaded = settings(environ)
    except ConfigurationError as error:
        faults += error.faults
    try:
        ops = load(OpsSettings, environ)
    except ConfigurationError as error:
        faults += error.faults
    if loaded is None or ops is None:
        raise ConfigurationError(faults)
    return loaded, ops


async def _run(
    name: str, settings: _Settings, ops: OpsSettings, serve: Callable[[_Settings, Context], Awaitable[None]]
) -> int:
    log = get_logger("process")
    context = Context(os.environ, Metrics(), Health(), asyncio.Event())
    _drain_on_signal(context, log.info)
    try:
        async with serving(ops_app(context.health, context.metrics), "0.0.0.0", ops.port) as port:  # noqa: S104  (probes)
            log.info("service_starting", ops_port=port)
            await _until_stopped(settings, context, serve)
    except ConfigurationError as error:
        for fault in error.faults:
            log.error("configuration_fault", fault=fault)
        return EXIT_CONFIGURATION
    except OSError as error:
        log.error("service_failed", error=str(error))
        return EXIT_FAULT
    except Exception as error:
        log.error("service_failed", error=repr(error), exc_info=error)
        return EXIT_FAULT
    log.info("service_stopped", service=name)
    return EXIT_OK


async def _until_stopped(
    settings: _Settings, context: Context, serve: Callable[[_Settings, Context], Awaitable[None]]
) -> None:
    """Serve; a stop during the start (the bus is away, say) ends the wait instead of hanging on it."""
    serving_task = asyncio.ensure_future(serve(settings, context))
    stopped = asyncio.create_task(context.stop.wait())
    await asyncio.wait({serving_task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not serving_task.done() and not context.health.up:
        await _cancel(serving_task)
        return
    if not serving_task.done():
        try:
            async with asyncio.timeout(DRAIN_GRACE + 3):
                await asyncio.shield(serving_task)
        except TimeoutError:
            await _cancel(serving_task)
            return
    serving_task.result()


async def _cancel(task: "asyncio.Future[None]") -> None:
    """End `task`, insisting: `wait_for` of Python 3.11 swallows a cancellation that comes with what it waits for."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN)


def _drain_on_signal(context: Context, log: Callable[..., object]) -> None:
    loop = asyncio.get_running_loop()

    def drain(name: str) -> None:
        if context.stop.is_set():
            return
        log("service_draining", signal=name)
        context.health.draining()
        context.stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain, number.name)
