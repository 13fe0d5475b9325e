"""The pause a rate limit asks for, kept by every call of a client, so that nobody hammers while one waits."""

import asyncio

from bitbylaw.common.errors import Executed, RateLimited

#: The longest pause in seconds that a call sits out; a longer one goes back to the event's schedule.
SHORT = 5.0


class Pause:
    """Until when an upstream wants to be left alone."""

    def __init__(self, system: str) -> None:
        self._system = system
        self._until = 0.0

    @property
    def left(self) -> float:
        """Seconds still to wait, 0 if none."""
        return max(self._until - asyncio.get_running_loop().time(), 0.0)

    def ask(self, seconds: float) -> None:
        """The upstream wants no call for `seconds`; a longer wish stays."""
        self._until = max(self._until, asyncio.get_running_loop().time() + seconds)

    async def wait(self) -> None:
        """Return when calls may go out, if that is soon.

        Raises:
            RateLimited: the pause is longer than SHORT; `delay` is what is left of it.
        """
        while left := self.left:
            if left > SHORT:
                raise RateLimited(f"{self._system}: asked for patience", delay=left, executed=Executed.NO)
            await asyncio.sleep(left)
