"""Events as people type them."""

import asyncio

import msgspec
import pytest

from bitbylaw.common.bus.connection import Bus

from .conftest import Gateway

ID = "6b04cd43a189d3089"


async def settled(bus: Bus) -> None:
    """Return when the INBOX is empty: each of its messages is removed only after it was dealt with."""
    async with asyncio.timeout(15):
        while (await bus.js.stream_info("INBOX")).state.messages:  # noqa: ASYNC110  (another connection empties it)
            await asyncio.sleep(0.02)


async def test_a_plain_publish_becomes_a_keyed_event(gateway: Gateway) -> None:
    """`nats pub vmh.document.update '{"entity_id":"…"}'`, without headers, ends on the keyed subject in EVENTS."""
    await gateway.bus.nc.publish("vmh.document.update", b'{"entity_id":"%s"}' % ID.encode())
    async with asyncio.timeout(15):
        while not await gateway.stored("EVENTS"):  # noqa: ASYNC110  (another connection stores it)
            await asyncio.sleep(0.02)
    stored = await gateway.bus.js.get_last_msg("EVENTS", f"vmh.document.update.{ID}")
    assert msgspec.json.decode(stored.data or b"") == {"entity_id": ID}
    assert (stored.headers or {})["ce-source"] == "inbox"


async def test_two_manual_events_do_not_overwrite_each_other(gateway: Gateway) -> None:
    """Events for different entities on one typed subject all arrive, however many there are."""
    for number in range(300):
        await gateway.bus.js.publish("vmh.document.update", b'{"entity_id":"%017x"}' % number)
    await settled(gateway.bus)
    assert await gateway.stored("EVENTS") == 300


@pytest.mark.parametrize(
    ("subject", "payload"),
    [
        ("vmh.document.update", b'{"entity_id":"not-an-id"}'),
        ("vmh.document.update", b"not JSON"),
        ("vmh.document.update", b"{}"),
        ("vmh.document.update", b""),
        ("vmh.document.update", b'{"entity_id":5}'),
        ("vmh.akte.update", b'{"entity_id":"6b04cd43a189d3089"}'),
        ("vmh.document.frob", b'{"entity_id":"6b04cd43a189d3089"}'),
        ("vmh.document.update", b'{"entity_id":"' + b"6" * 100_000 + b'"}'),
    ],
)
async def test_bad_input_ends_as_a_dead_letter(gateway: Gateway, subject: str, payload: bytes) -> None:
    """What is no event is a dead letter with the reason, and the next event is taken all the same."""
    await gateway.bus.js.publish(subject, payload)
    await gateway.bus.js.publish("vmh.document.update", b'{"entity_id":"%s"}' % ID.encode())
    await settled(gateway.bus)
    assert await gateway.stored("DEADLETTERS") == 1
    letter = await gateway.bus.js.get_last_msg("DEADLETTERS", f"dlq.{subject}")
    assert msgspec.json.decode(letter.data or b"")["error"] == "EventInvalid"
    assert await gateway.stored("EVENTS") == 1
