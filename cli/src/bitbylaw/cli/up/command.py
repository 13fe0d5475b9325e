"""The command itself: start everything in order, show it, end it in the opposite order."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import msgspec
from rich.console import Console

from bitbylaw.cli.up.figures import Figures, read_figures
from bitbylaw.cli.up.firm import load_firm, register_webhooks
from bitbylaw.cli.up.hints import first_steps, not_synced
from bitbylaw.cli.up.inject import enqueue_documents
from bitbylaw.cli.up.layout import lay_out, read_dotenv
from bitbylaw.cli.up.processes import Processes, StartFailed
from bitbylaw.cli.up.screen import Screen
from bitbylaw.cli.up.services import nats_server, service_environment, services, simulators
from bitbylaw.cli.up.watch import Observer, Progress

EXIT_OK, EXIT_NOT_SYNCED, EXIT_CONFIGURATION = 0, 1, 2

#: Seconds between two looks: at our own simulators, and at real systems, which are not ours to hammer.
LOOK_AT_SIMULATORS = 0.5
LOOK_AT_REAL = 10.0


class Options(msgspec.Struct, frozen=True):
    """How `up` was called. `timeout` in seconds bounds the wait of `exit_when_synced`."""

    data: Path
    exit_when_synced: bool
    timeout: float


class Up:
    """One call of `bitbylaw up`."""

    def __init__(self, options: Options, environ: Mapping[str, str], console: Console) -> None:
        self._options = options
        self._environ = {**read_dotenv(Path(".env")), **environ}
        self._layout = lay_out(self._environ, options.data)
        self._console = console
        self._processes = Processes()
        self._stop = asyncio.Event()
        self._expected = 0

    async def run(self) -> int:
        """Run until everything is synced, or until Ctrl-C; the exit code."""
        self._listen_for_signals()
        working = asyncio.create_task(self._work())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return EXIT_NOT_SYNCED if self._options.exit_when_synced else EXIT_OK
            return working.result()
        except StartFailed as error:
            self._console.print(f"[red]{error}[/red]", highlight=False)
            return EXIT_NOT_SYNCED
        finally:
            stopped.cancel()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            self._console.print("draining …")
            await self._processes.stop()

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if self._stop.is_set():
                self._processes.kill()  # asked twice: no more patience
            self._stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)

    async def _work(self) -> int:
        layout, environ = self._layout, service_environment(self._layout, self._environ)
        if layout.own_nats:
            await self._processes.start(nats_server(layout, self._environ))
        await self._processes.start(*simulators(layout, self._environ))
        if layout.simulate_espocrm:
            environ["ESPOCRM_WEBHOOK_SECRETS"] = await register_webhooks(layout)
        elif not environ.get("ESPOCRM_WEBHOOK_SECRETS"):
            self._console.print("[red]ESPOCRM_WEBHOOK_SECRETS is missing[/red]: register the webhooks in EspoCRM first")
            return EXIT_CONFIGURATION
        await self._processes.start(*services(layout, environ))
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with Screen(self._console) as screen:
                return await self._show(screen, session, environ)

    async def _show(self, screen: Screen, session: aiohttp.ClientSession, environ: Mapping[str, str]) -> int:
        observer = Observer(session, environ)
        loading = asyncio.create_task(self._load(observer, environ))
        started, told = time.monotonic(), False
        pause = LOOK_AT_SIMULATORS if self._layout.simulate_espocrm and self._layout.simulate_xai else LOOK_AT_REAL
        progress: Progress | None = None
        while True:
            if loading.done():
                loading.result()
            progress = await self._look(observer) or progress
            screen.show(self._processes.all, await self._figures(session), progress)
            complete = loading.done() and progress is not None and progress.total >= self._expected
            if complete and progress is not None and progress.settled:
                if self._options.exit_when_synced:
                    return self._verdict(screen, progress, started)
                if not told:
                    screen.say(first_steps(self._layout, environ))
                    told = True
            if self._options.exit_when_synced and time.monotonic() - started > self._options.timeout:
                return self._verdict(screen, progress, started)
            await asyncio.sleep(pause)

    async def _load(self, observer: Observer, environ: Mapping[str, str]) -> None:
        """Fill the simulated EspoCRM; against a real one, have the services look at what is not clean."""
        if self._layout.simulate_espocrm:
            self._expected = await load_firm(self._layout)
        else:
            await enqueue_documents(environ, await observer.unsynced_ids())

    async def _look(self, observer: Observer) -> Progress | None:
        try:
            return await observer.progress()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None  # a simulator that was just killed: it is on its way back

    async def _figures(self, session: aiohttp.ClientSession) -> dict[str, Figures]:
        found: dict[str, Figures] = {}
        for name, port in (("gateway", "gateway ops"), ("document-sync", "document-sync")):
            figures = await read_figures(session, self._layout.ports[port])
            if figures is not None:
                found[name] = figures
        return found

    def _verdict(self, screen: Screen, progress: Progress | None, started: float) -> int:
        if progress is not None and progress.synced == progress.total >= self._expected:
            seconds = time.monotonic() - started
            screen.say(f"{progress.synced} of {progress.total} documents are in xAI and clean ({seconds:.1f} s)")
            return EXIT_OK
        screen.say(not_synced(progress, self._expected, self._layout))
        return EXIT_NOT_SYNCED


def up(options: Options) -> int:
    """Run `bitbylaw up`; the exit code."""
    return asyncio.run(Up(options, os.environ, Console()).run())
