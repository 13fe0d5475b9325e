"""What becomes of an event whose run fails: each kind of error, end to end."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from tests.support.worker import FAST, SERVICE, Recorder, all_acknowledged, consumer, event, working

from bitbylaw.common import errors
from bitbylaw.common.actors.run import Run
from bitbylaw.common.actors.verdict import RetryPolicy
from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.dead_letters import DeadLetter
from bitbylaw.common.bus.topology import Stream
from bitbylaw.common.telemetry.metrics import Metrics

SUBJECT = event(1).typed_subject


def failing(make: Callable[[], BaseException], times: int) -> Recorder:
    """A handler whose first `times` runs fail."""

    async def fail(_: Run) -> None:
        if len(recorder.runs) <= times:
            raise make()

    recorder = Recorder(fail)
    return recorder


async def letters(bus: Bus) -> list[DeadLetter]:
    """Every dead letter, oldest first."""
    state = (await bus.js.stream_info(Stream.DEADLETTERS)).state
    found = [await bus.js.get_msg(Stream.DEADLETTERS, number) for number in range(1, state.last_seq + 1)]
    return [msgspec.json.decode(message.data or b"", type=DeadLetter) for message in found]


def handled(metrics: Metrics) -> dict[str, float]:
    """Runs that ended, by outcome."""
    return {
        sample.labels["outcome"]: sample.value
        for metric in metrics.events_handled.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["service"] == SERVICE
    }


@pytest.mark.parametrize(
    "make", [lambda: errors.TransientError("x"), lambda: errors.StaleWrite("x"), lambda: KeyError("none of ours")]
)
async def test_passing_error_is_retried_with_its_failure_counted(bus: Bus, make: Callable[[], BaseException]) -> None:
    """It comes back by a schedule, one failure on its account, and is done; nobody is bothered."""
    recorder = failing(make, 1)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until_ended(2)
        await all_acknowledged(bus)
    assert [run.attempt for run in recorder.runs] == [0, 1]
    assert recorder.runs[0].events[0].id == recorder.runs[1].events[0].id
    assert handled(rig.metrics) == {"retried": 1, "done": 1}
    assert recorder.given_up == []
    assert await letters(bus) == []


async def test_nothing_is_acknowledged_before_its_retry_is_stored(bus: Bus) -> None:
    """While the retry cannot be stored the message stays ours and is run again, its failure not counted."""
    in_hand: list[int | None] = []

    async def fail_twice(_: Run) -> None:
        in_hand.append((await consumer(bus)).num_ack_pending)
        # In the first run's settlement the publisher refuses, as when the bus is away.
        rig.events._ended = len(recorder.runs) == 1
        if len(recorder.runs) <= 2:
            raise errors.TransientError("x")

    recorder = Recorder(fail_twice)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until_ended(3, within=6)  # from the mailbox, not by a redelivery after ack_wait
        await all_acknowledged(bus)
    assert in_hand[:2] == [1, 1]
    assert [run.attempt for run in recorder.runs] == [0, 0, 1]


async def test_exhausted_event_is_given_up(bus: Bus) -> None:
    """After the last try the entity is marked, the dead letter tells the story, and nothing comes again."""
    recorder = failing(lambda: errors.TransientError("still broken"), 99)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until(lambda: len(recorder.given_up) == 1)
        await all_acknowledged(bus)
    assert [run.attempt for run in recorder.runs] == [0, 1, 2]
    (letter,) = await letters(bus)
    original = recorder.runs[0].events[0]
    assert letter.subject == original.subject
    assert (letter.error, letter.reason, letter.attempts) == ("TransientError", "still broken", FAST.max_attempts)
    assert letter.payload.encode() == original.payload()
    assert letter.trace == original.trace.header()
    assert handled(rig.metrics) == {"retried": 2, "dead_lettered": 1}
    assert recorder.given_up[0][0] == original.entity


@pytest.mark.parametrize("unmarked", [None, errors.TransientError("down"), KeyError("a fault of ours")])
async def test_permanent_error_is_a_dead_letter_at_once(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, unmarked: BaseException | None
) -> None:
    """One run, one dead letter; also when the entity cannot be marked as failed, for whatever reason."""
    recorder = failing(lambda: errors.Refused("no", status=422), 99)
    if unmarked is not None:

        async def fail(_: Run, __: BaseException) -> None:
            raise unmarked

        monkeypatch.setattr(recorder, "give_up", fail)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until_ended(1)
        await all_acknowledged(bus)
    assert len(recorder.runs) == 1
    assert [(letter.error, letter.attempts) for letter in await letters(bus)] == [("Refused", 1)]
    assert handled(rig.metrics) == {"dead_lettered": 1}


async def test_not_yet_is_looked_at_again_without_counting(bus: Bus) -> None:
    """An upstream at work costs no attempt, more often than any bound, and is no retry in the figures."""
    looks = FAST.max_attempts + 2
    recorder = failing(lambda: errors.NotYet("indexing", delay=0.02), looks)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until_ended(looks + 1)
        await all_acknowledged(bus)
    assert [run.attempt for run in recorder.runs] == [0] * (looks + 1)
    assert "retried" not in handled(rig.metrics)
    assert await letters(bus) == []


async def test_upstream_down_comes_back_without_counting(bus: Bus) -> None:
    """A system that is away costs no attempt, however often."""
    recorder = failing(lambda: errors.UpstreamDown("espocrm", "away", delay=0.02), FAST.max_attempts + 1)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until_ended(FAST.max_attempts + 2)
        await all_acknowledged(bus)
    assert {run.attempt for run in recorder.runs} == {0}
    assert await letters(bus) == []


async def test_rate_limit_waits_as_long_as_the_upstream_says(bus: Bus) -> None:
    """The retry comes at the time named, not at the backoff's; other entities go on meanwhile."""

    async def limit(run: Run) -> None:
        if run.entity == event(1).entity and run.attempt == 0:
            raise errors.RateLimited("slow down", delay=0.8)

    recorder = Recorder(limit)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until_ended(1)
        await rig.events.publish_event(event(2))
        await recorder.until_ended(3)
    assert [run.entity for run in recorder.runs] == [event(1).entity, event(2).entity, event(1).entity]
    first, _, again = recorder.runs
    assert first.ended is not None
    assert 0.75 <= again.began - first.ended <= 4.0


async def test_a_run_that_takes_too_long_is_ended_and_counted(bus: Bus) -> None:
    """The run is cancelled at its limit, its slot and lease are free, and the event is tried again."""

    async def hang(_: Run) -> None:
        if len(recorder.runs) == 1:
            await asyncio.Event().wait()

    recorder = Recorder(hang)
    async with working(bus, recorder, max_run_seconds=0.2, concurrency=1) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until_ended(2)
        await all_acknowledged(bus)
    assert [run.attempt for run in recorder.runs] == [0, 1]
    assert (recorder.runs[0].ended or 0) - recorder.runs[0].began < 1


async def test_an_unforeseen_delay_is_no_loop(bus: Bus) -> None:
    """An upstream that names an absurd pause gets its event scheduled all the same."""
    recorder = failing(lambda: errors.RateLimited("x", delay=float("inf")), 1)
    async with working(bus, recorder) as rig:
        await rig.events.publish_event(event(1))
        await recorder.until_ended(1)
        await all_acknowledged(bus)
    info = await bus.js.stream_info(Stream.EVENTS, subjects_filter="retry.>")
    assert info.state.subjects == {f"retry.{event(1).subject}": 1}


@pytest.mark.parametrize("body", [b'{"entity_id":"00000000000000000"}', b"[", b'{"x":' + b"[" * 50_000])
async def test_invalid_event_is_a_dead_letter_and_blocks_nobody(bus: Bus, body: bytes) -> None:
    """What is no event, though on a keyed subject, is kept for a person; the events behind it are handled."""
    recorder = Recorder()
    async with working(bus, recorder) as rig:
        await bus.js.publish(event(1).subject, body)
        await rig.events.publish_event(event(2))
        await recorder.until_ended(1)
        await all_acknowledged(bus)
    assert [run.entity for run in recorder.runs] == [event(2).entity]
    (letter,) = await letters(bus)
    assert (letter.subject, letter.error) == (event(1).subject, "EventInvalid")
    assert body.decode().startswith(letter.payload)
    assert handled(rig.metrics) == {"dead_lettered": 1, "done": 1}


async def test_the_worst_attempt_counts_when_events_are_covered_together(bus: Bus) -> None:
    """A fresh event beside a failed one does not give a poisonous entity new tries without end."""
    recorder = failing(lambda: errors.TransientError("x"), 99)
    await bus.js.publish(event(1).subject, event(1).payload(), headers=event(1, attempt=2).headers())
    async with working(bus, recorder, policy=RetryPolicy(max_attempts=3)):
        await recorder.until(lambda: len(recorder.given_up) == 1)
        await all_acknowledged(bus)
    assert (await letters(bus))[0].attempts == 3
