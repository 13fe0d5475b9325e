"""Background tasks of a service: if one of them ends by itself, the service ends, loudly."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Self


class Tasks:
    """Tasks that live as long as a block. `stop` is the service's signal to drain."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Last started, first ended: what others need (publishers) outlives those who need it.
        for task in reversed(self._tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def start(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Run `work` until the block ends."""
        self._tasks.append(asyncio.create_task(work, name=name))

    async def until_stopped(self) -> None:
        """Return when the service must drain.

        Raises:
            Exception: what a task failed with.
            RuntimeError: a task ended that should not have.
        """
        stopped = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait({stopped, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            task.result()
            if not self._stop.is_set():
                raise RuntimeError(f"task {task.get_name()} ended by itself")
