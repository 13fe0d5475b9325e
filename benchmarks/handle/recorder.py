"""The handler of the measurement: waits, and writes down what the worker promised, so that it can be checked.

Promised is: one run of an entity at a time, its events in the order of the stream, every event covered by a run.
"""

import asyncio
from collections import defaultdict

from benchmarks.handle.turn import Turn
from bitbylaw.common.actors.run import Run
from bitbylaw.common.telemetry.metrics import Outcome


class Recorder:
    """Handles by waiting `seconds`. The number of an event in the stream is its `ce-id`."""

    def __init__(self, turn: Turn, seconds: float) -> None:
        self._turn = turn
        self._seconds = seconds
        self._clock = 0
        self._runs: dict[str, list[tuple[int, int, tuple[int, ...]]]] = defaultdict(list)

    async def handle(self, run: Run) -> Outcome:
        """One run."""
        began = self._tick()
        if self._seconds:
            await asyncio.sleep(self._seconds)
        else:
            await asyncio.sleep(0)  # a handler gives way at least once: two runs side by side would be seen
        self._runs[run.entity.id].append((began, self._tick(), tuple(int(event.id) for event in run.events)))
        self._turn.handled(len(run.events))
        return Outcome.DONE

    async def give_up(self, run: Run, error: BaseException) -> None:
        """Never needed: the handler does not fail."""

    def faults(self, events: int) -> tuple[str, ...]:
        """Every promise that was broken, in words."""
        found: list[str] = []
        covered: list[int] = []
        for entity, runs in self._runs.items():
            last_end, last_event = -1, -1
            for began, ended, numbers in sorted(runs):
                if began < last_end:
                    found.append(f"two runs of {entity} side by side")
                if list(numbers) != sorted(numbers) or numbers[0] <= last_event:
                    found.append(f"events of {entity} out of order: {numbers} after {last_event}")
                last_end, last_event = ended, numbers[-1]
                covered += numbers
        if sorted(covered) != list(range(events)):
            found.append(f"{events} events, {len(covered)} covered, {len(set(covered))} different ones")
        return tuple(found[:5])

    def _tick(self) -> int:
        """A clock that never stands still: an order of everything that happens in this process."""
        self._clock += 1
        return self._clock
