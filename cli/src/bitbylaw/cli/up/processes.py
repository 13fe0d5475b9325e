"""Processes that are kept running: started in order, restarted when they die, drained in the opposite order."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import aiohttp

#: Seconds a process may take for its drain before it is killed; more than a service's own grace.
DRAIN_TIMEOUT = 32.0
#: Seconds a process may take until it is ready.
START_TIMEOUT = 30.0
#: Seconds before the first restart and at most before any; a process that keeps dying is not started in a frenzy.
RESTART_PAUSE = (0.2, 5.0)
#: Seconds of life after which earlier deaths are forgiven.
STABLE_AFTER = 20.0

_PR_SET_PDEATHSIG = 1


class ProcessState(StrEnum):
    """What a process is doing."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


class StartFailed(Exception):
    """A process did not become ready; the text has the end of its log."""


class Kept:
    """One process that is kept running. `ready_url` is polled until it answers 200."""

    def __init__(
        self, name: str, argv: Sequence[str], environ: Mapping[str, str], *, log: Path, ready_url: str | None
    ) -> None:
        self.name = name
        self.state = ProcessState.STARTING
        self.restarts = 0
        self._argv = argv
        self._environ = environ
        self._log = log
        self._ready_url = ready_url
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, None while there is none."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it, wait until it is ready, keep it running from then on.

        Raises:
            StartFailed: it ended, or was not ready in time.
        """
        await self._spawn()
        await self._wait_ready()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> int | None:
        """Drain it; its exit code, None if it had to be killed or never ran."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        process, self.state = self._process, ProcessState.STOPPED
        if process is None:
            return None
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(DRAIN_TIMEOUT):
                    await process.wait()
            except TimeoutError:
                self.kill()
                await process.wait()
                return None
        return process.returncode

    def kill(self) -> None:
        """End it without asking."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    def tail(self, lines: int = 12) -> str:
        """The end of its log."""
        with suppress(OSError):
            return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        return ""

    async def _spawn(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self._environ),
                start_new_session=True,  # Ctrl-C in the terminal is for us alone: we drain in order
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    async def _wait_ready(self) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while not await self._answers():
                    if self._process is None or self._process.returncode is not None:
                        raise StartFailed(f"{self.name} ended at its start\n{self.tail()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise StartFailed(f"{self.name} was not ready in {START_TIMEOUT:.0f} s\n{self.tail()}") from None
        self.state = ProcessState.READY

    async def _answers(self) -> bool:
        if self._ready_url is None:
            return True
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(self._ready_url) as answer,
            ):
                return answer.status == 200  # noqa: PLR2004  (HTTP OK)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def _keep(self) -> None:
        """Wait for the process's end and start it again, each time a little later while it keeps dying young."""
        loop = asyncio.get_running_loop()
        low, high = RESTART_PAUSE
        pause = low
        while self._process is not None:
            born = loop.time()
            await self._process.wait()
            self.state = ProcessState.RESTARTING
            self.restarts += 1
            pause = low if loop.time() - born > STABLE_AFTER else min(pause * 2, high)
            await asyncio.sleep(pause)
            await self._spawn()
            with suppress(StartFailed):
                await self._wait_ready()


def _die_with_parent() -> None:
    """Linux: have the kernel end this child when `up` itself is killed, so that nothing is left behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        os.kill(os.getpid(), signal.SIGTERM)


class Processes:
    """All processes of `up`, in the order they were started."""

    def __init__(self) -> None:
        self.all: list[Kept] = []

    async def start(self, *processes: Kept) -> None:
        """Start `processes` side by side.

        Raises:
            StartFailed: one of them did not become ready.
        """
        self.all += processes
        results = await asyncio.gather(*(process.start() for process in processes), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def stop(self) -> None:
        """Drain everything, the last started first: services, then simulators, then NATS."""
        while self.all:
            last = self.all.pop()
            await last.stop()

    def kill(self) -> None:
        """End everything without asking."""
        for process in self.all:
            process.kill()
