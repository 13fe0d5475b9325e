"""Which actor handles which entity."""

from bitbylaw.common.actors.run import Handler, Run
from bitbylaw.common.errors import TransientError
from bitbylaw.common.http.breaker import Breaker
from bitbylaw.common.telemetry.metrics import Outcome


class Handlers:
    """Hands each run to the handler of its entity type."""

    def __init__(self, by_type: dict[str, Handler], breakers: tuple[Breaker, ...]) -> None:
        self._by_type = by_type
        self._breakers = breakers

    async def handle(self, run: Run) -> Outcome:
        """See `Handler`.

        A failure that opened a breaker, or kept it open as a failed probe, speaks of the system and not of the entity:
        it is not counted, or a long outage would use up the attempts of whoever probes.
        """
        try:
            return await self._by_type[run.entity.type].handle(run)
        except TransientError:
            for breaker in self._breakers:
                breaker.check()
            raise

    async def give_up(self, run: Run, error: BaseException) -> None:
        """See `Handler`."""
        await self._by_type[run.entity.type].give_up(run, error)
