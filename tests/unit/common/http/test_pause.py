"""The pause after a rate limit, in virtual time."""

import asyncio

import pytest

from bitbylaw.common.errors import Executed, RateLimited, UpstreamDown
from bitbylaw.common.http.breaker import Breaker, Permit
from bitbylaw.common.http.circuit import BreakerPolicy
from bitbylaw.common.http.gate import Gate
from bitbylaw.common.telemetry.metrics import Metrics

pytestmark = pytest.mark.looptime


def now() -> float:
    return asyncio.get_running_loop().time()


def gate(*, concurrency: int = 8, rate: float | None = None) -> tuple[Gate, Breaker]:
    breaker = Breaker("crm", Metrics(), policy=BreakerPolicy(failures=1))
    return Gate(breaker, concurrency=concurrency, rate=rate), breaker


async def test_a_short_pause_is_sat_out_by_all() -> None:
    """All callers wait for the pause together; one that is prolonged meanwhile is waited for to its new end."""
    subject, _ = gate()
    subject.pause.ask(3)

    async def call() -> float:
        async with subject.passing():
            return now()

    calls = [asyncio.create_task(call()) for _ in range(5)]
    await asyncio.sleep(1)
    subject.pause.ask(4)
    assert await asyncio.gather(*calls) == [5.0] * 5


async def test_a_long_pause_is_refused_at_once() -> None:
    """A pause above five seconds goes back to the caller with the time left, certainly not executed."""
    subject, _ = gate()
    subject.pause.ask(60)
    await asyncio.sleep(10)
    with pytest.raises(RateLimited) as caught:
        async with subject.passing():
            pass
    assert (caught.value.delay, caught.value.executed) == (50.0, Executed.NO)
    assert now() == 10.0


async def test_probe_answered_with_a_pause_holds_those_that_waited_for_it() -> None:
    """Callers that waited for the probe keep the pause it came back with, instead of rushing out."""
    subject, breaker = gate()
    breaker.record_failure(Permit())
    await asyncio.sleep(5)
    went: list[float] = []

    async def call() -> None:
        async with subject.passing():
            went.append(now())

    async with subject.passing() as probe:
        others = [asyncio.create_task(call()) for _ in range(3)]
        await asyncio.sleep(1)
        subject.pause.ask(4)
        breaker.record_success(probe)
    await asyncio.gather(*others)
    assert went == [10.0] * 3


async def test_rate_bounds_calls_per_second() -> None:
    """With two calls a second, six take two seconds: the first two at once, then one each half second."""
    subject, _ = gate(rate=2)
    went: list[float] = []
    for _ in range(6):
        async with subject.passing():
            went.append(round(now(), 3))
    assert went == [0, 0, 0.5, 1.0, 1.5, 2.0]


async def test_rate_below_one() -> None:
    """A rate below one call a second lets calls through all the same, each after its time."""
    subject, _ = gate(rate=0.25)
    for _ in range(3):
        async with subject.passing():
            pass
    assert round(now(), 3) == 8.0


async def test_open_breaker_refuses_without_queueing() -> None:
    """When the breaker opens, a call is refused although all slots are taken by calls that hang."""
    subject, breaker = gate(concurrency=1)
    async with subject.passing() as hanging:
        breaker.record_failure(hanging)
        with pytest.raises(UpstreamDown):
            async with subject.passing():
                pass
