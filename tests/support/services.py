"""A service as a process in a test: its log lines, its metrics, its end; and waiting for what other processes do."""

import asyncio
import inspect
import json
import os
import re
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

#: Seconds between two looks at another process.
_PAUSE = 0.02


async def eventually(condition: Callable[[], bool | Awaitable[bool]], what: str, *, within: float = 30.0) -> None:
    """Return when `condition` holds. The parties are other processes: there is nothing to wait on but their state.

    Raises:
        AssertionError: it does not within so many seconds.
    """
    try:
        async with asyncio.timeout(within):
            while True:
                holds = condition()
                if await holds if inspect.isawaitable(holds) else holds:
                    return
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {what}") from None


class Process:
    """A process of ours, its log lines and its metrics."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self._popen = popen
        self._log = log

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it is alive."""
        return self._popen.poll() is None

    def text(self) -> str:
        """All it wrote."""
        return self._log.read_text(encoding="utf-8")

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Its log lines, those of `event` only if given."""
        lines = [json.loads(line) for line in self.text().splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in lines if not event or line["event"] == event]

    async def said(self, event: str, *, within: float = 30.0) -> dict[str, Any]:
        """Its first line of `event`, once it has come."""
        await eventually(lambda: bool(self.lines(event)) or not self.running, f"log line {event}", within=within)
        assert self.lines(event), f"ended without {event}:\n{self.text()[-3000:]}"
        return self.lines(event)[0]

    async def metrics(self) -> dict[str, float]:
        """Its metrics, each by name and labels as they stand in the exposition."""
        port = (await self.said("service_starting"))["ops_port"]
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            text = await answer.text()
        pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels, 0 while it has none."""
        return sum(value for key, value in (await self.metrics()).items() if key.partition("{")[0] == name)

    def peak_memory(self) -> int:
        """The largest resident set it ever had, in bytes (Linux)."""
        match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(encoding="ascii"))
        assert match is not None
        return int(match[1]) * 1024

    def kill(self) -> None:
        """SIGKILL it and see it gone."""
        self._popen.kill()
        self._popen.wait(10)

    def stop(self) -> None:
        """SIGSTOP: it stands still, its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    async def drain(self) -> int:
        """SIGTERM; its exit code."""
        self._popen.terminate()
        return await asyncio.to_thread(self._popen.wait, 30)
