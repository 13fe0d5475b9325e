"""Which actor handles which entity."""

from bitbylaw.common.actors.run import Handler, Run
from bitbylaw.common.telemetry.metrics import Outcome


class Handlers:
    """Hands each run to the handler of its entity type."""

    def __init__(self, by_type: dict[str, Handler]) -> None:
        self._by_type = by_type

    async def handle(self, run: Run) -> Outcome:
        """See `Handler`."""
        return await self._by_type[run.entity.type].handle(run)

    async def give_up(self, run: Run, error: BaseException) -> None:
        """See `Handler`."""
        await self._by_type[run.entity.type].give_up(run, error)
