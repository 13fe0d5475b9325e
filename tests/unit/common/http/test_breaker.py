"""The breaker around the state machine, in virtual time."""

import asyncio

import pytest
from structlog.testing import capture_logs

from bitbylaw.common.errors import UpstreamDown
from bitbylaw.common.http.breaker import Breaker, Permit
from bitbylaw.common.http.circuit import BreakerPolicy, CircuitState
from bitbylaw.common.telemetry.metrics import Metrics

pytestmark = pytest.mark.looptime

POLICY = BreakerPolicy(failures=2, open_seconds=5.0)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def breaker(metrics: Metrics) -> Breaker:
    return Breaker("crm", metrics, policy=POLICY)


def gauge(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("bitbylaw_breaker_open", {"system": "crm"})


def now() -> float:
    return asyncio.get_running_loop().time()


def break_it(breaker: Breaker) -> None:
    for _ in range(POLICY.failures):
        breaker.record_failure(Permit())


async def test_open_refuses_with_the_time_left(breaker: Breaker) -> None:
    """While it is open, calls are refused and told when a probe is due."""
    break_it(breaker)
    await asyncio.sleep(2)
    with pytest.raises(UpstreamDown) as caught:
        await breaker.admit()
    assert (caught.value.system, caught.value.delay) == ("crm", 3.0)
    with pytest.raises(UpstreamDown):
        breaker.check()


async def test_waiters_go_after_a_good_probe(breaker: Breaker) -> None:
    """Half open, one of ten callers is the probe; the nine others go when it succeeds, not before."""
    break_it(breaker)
    await asyncio.sleep(5)
    probe = await breaker.admit()
    others = [asyncio.create_task(breaker.admit()) for _ in range(9)]
    await asyncio.sleep(1)
    assert probe.probe is not None
    assert not any(task.done() for task in others)
    breaker.record_success(probe)
    permits = await asyncio.gather(*others)
    assert [permit.probe for permit in permits] == [None] * 9
    assert now() == 6.0


async def test_waiters_are_refused_after_a_bad_probe(breaker: Breaker) -> None:
    """When the probe fails, those that waited are told to come back after the doubled time."""
    break_it(breaker)
    await asyncio.sleep(5)
    probe = await breaker.admit()
    other = asyncio.create_task(breaker.admit())
    await asyncio.sleep(1)
    breaker.record_failure(probe)
    with pytest.raises(UpstreamDown) as caught:
        await other
    assert caught.value.delay == 10.0


async def test_cancelled_probe_makes_room(breaker: Breaker) -> None:
    """A probe that ends without a result hands its role to one of those that wait."""
    break_it(breaker)
    await asyncio.sleep(5)
    probe = await breaker.admit()
    others = [asyncio.create_task(breaker.admit()) for _ in range(3)]
    await asyncio.sleep(1)
    breaker.release(probe)
    done, waiting = await asyncio.wait(others, timeout=1)
    assert [task.result().probe for task in done] == [2]
    assert len(waiting) == 2
    for task in waiting:
        task.cancel()


async def test_waiting_for_a_probe_is_bounded(metrics: Metrics) -> None:
    """A probe that never comes back holds nobody for longer than the patience."""
    breaker = Breaker("crm", metrics, policy=POLICY, probe_patience=7.0)
    break_it(breaker)
    await asyncio.sleep(5)
    await breaker.admit()
    with pytest.raises(UpstreamDown):
        await breaker.admit()
    assert now() == 12.0


async def test_wait_closed_returns_when_a_probe_is_due(breaker: Breaker) -> None:
    """A paused consumer goes on when a probe may be sent, and waits while somebody else's probe is on its way."""
    await breaker.wait_closed()
    break_it(breaker)
    await breaker.wait_closed()
    assert now() == 5.0
    probe = await breaker.admit()
    waiting = asyncio.create_task(breaker.wait_closed())
    await asyncio.sleep(1)
    breaker.record_failure(probe)
    await waiting
    assert now() == 16.0


async def test_wait_closed_returns_when_it_closes(breaker: Breaker) -> None:
    """A late success of an older call ends the pause at once."""
    break_it(breaker)
    waiting = asyncio.create_task(breaker.wait_closed())
    await asyncio.sleep(1)
    breaker.record_success(Permit())
    await waiting
    assert now() == 1.0


async def test_metric_and_log_tell_each_change_once(metrics: Metrics, breaker: Breaker) -> None:
    """The gauge is 1 from opening to closing, failed probes included; the log has one line for each of the two."""
    with capture_logs() as logs:
        states = [gauge(metrics)]
        break_it(breaker)
        breaker.record_failure(Permit())
        states.append(gauge(metrics))
        await asyncio.sleep(5)
        breaker.record_failure(await breaker.admit())
        states.append(gauge(metrics))
        await asyncio.sleep(10)
        breaker.record_success(await breaker.admit())
        breaker.record_success(Permit())
        states.append(gauge(metrics))
    assert states == [0, 1, 1, 0]
    assert [line["event"] for line in logs] == ["breaker_opened", "breaker_closed"]


async def test_other_clock(metrics: Metrics) -> None:
    """With a clock of its own it follows that clock and not the loop's."""
    time = [100.0]
    breaker = Breaker("crm", metrics, policy=POLICY, clock=lambda: time[0])
    break_it(breaker)
    states = [breaker.state]
    time[0] += 5
    states.append(breaker.state)
    assert states == [CircuitState.OPEN, CircuitState.HALF_OPEN]
