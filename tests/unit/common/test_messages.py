"""Messages that we make ourselves: dead letters, delayed events; and the reply subject that JetStream makes."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.aio.msg import Msg
from tests.support.strategies import events, times

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.consumer import Delivery
from bitbylaw.common.bus.dead_letters import MAX_REASON, DeadLetter, dead_letter, dead_letter_message
from bitbylaw.common.bus.publisher import MAX_DELAY, delayed_message, event_message
from bitbylaw.common.errors import NotFound
from bitbylaw.common.events import Event, Header, parse_event

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@given(st.text(st.characters(codec=None), max_size=3000), st.binary(max_size=3000), st.integers(0, 999))
@example("\ud800", b"\xff" * 3000, 0)
def test_any_error_and_body_make_a_dead_letter(reason: str, payload: bytes, attempts: int) -> None:
    """Nothing that an error says or a message holds can keep it from being stored, and it stays small."""
    letter = dead_letter(
        "vmh.document.update", ValueError(reason), service="s", now=NOW, payload=payload, attempts=attempts
    )
    message = dead_letter_message(letter)
    assert msgspec.json.decode(message.body, type=DeadLetter) == letter
    assert letter.error == "ValueError"
    assert letter.attempts == attempts
    assert len(letter.reason) <= MAX_REASON
    assert len(letter.payload) <= MAX_REASON
    assert len(message.body) < 64 * 1024


def test_dead_letter_says_where_it_comes_from() -> None:
    """It stands on `dlq.<original subject>`, names our errors by the word of the tree, and carries trace and id."""
    letter = dead_letter(
        "vmh.document.update.x", NotFound("no"), service="s", now=NOW, payload=b"{}", trace="00-a-b-01"
    )
    message = dead_letter_message(letter, msg_id="once")
    assert message.subject == "dlq.vmh.document.update.x"
    assert (letter.error, letter.reason, letter.payload) == ("NotFound", "no", "{}")
    assert message.headers == {"traceparent": "00-a-b-01", "Nats-Msg-Id": "once"}
    assert dead_letter_message(dead_letter("x", NotFound("no"), service="s", now=NOW)).headers == {}


@given(events())
def test_event_message_is_keyed(event: Event) -> None:
    """An event is published on the subject that names its entity, readable again."""
    message = event_message(event)
    assert message.subject == event.subject
    assert parse_event(message.subject, message.body, message.headers, source="x", now=NOW) == event


@given(events(), st.floats(allow_nan=True, allow_infinity=True), times().filter(lambda time: time.year < 9990))
def test_delayed_message_waits_under_retry(event: Event, delay: float, now: datetime) -> None:
    """It waits on `retry.<subject>` for its own subject, within bounds whatever delay an upstream named."""
    message = delayed_message(event, delay, now)
    assert message.subject == f"retry.{event.subject}"
    assert message.headers["Nats-Schedule-Target"] == event.subject
    due = datetime.fromisoformat(message.headers["Nats-Schedule"].removeprefix("@at "))
    expected = min(max(delay, 0.0), MAX_DELAY) if delay == delay else 0.0  # noqa: PLR0124  (only NaN is unlike itself)
    assert abs((due - now) - timedelta(seconds=expected)) <= timedelta(milliseconds=1)
    assert parse_event(event.subject, message.body, message.headers, source="x", now=NOW) == event
    assert Header.MSG_ID not in message.headers


SHORT = "$JS.ACK.EVENTS.document-sync.{delivered}.{stream}.7.1795488185685503902.3"
WITH_DOMAIN = "$JS.ACK.hub.2Zw8kLqA.EVENTS.document-sync.{delivered}.{stream}.7.1795488185685503902.3"
WITH_TOKEN = WITH_DOMAIN + ".fX9a"


@pytest.mark.parametrize("form", [SHORT, WITH_DOMAIN, WITH_TOKEN], ids=["short", "domain", "domain and random token"])
@pytest.mark.parametrize("delivered", [1, 2, 17])
async def test_delivery_reads_every_form_of_the_reply_subject(form: str, delivered: int) -> None:
    """Nine tokens, eleven, or twelve with a random one at the end (ADR-15): the numbers are the same."""
    reply = form.format(delivered=delivered, stream=4711)
    delivery = Delivery(Bus(), Msg(Client(), subject="vmh.document.update.x", reply=reply, data=b"{}"))
    assert delivery.sequence == 4711
    assert delivery.redelivered is (delivered > 1)
    assert abs(delivery.stored - datetime(2026, 11, 24, 2, 43, 5, 685504, UTC)) < timedelta(milliseconds=1)
    assert (delivery.headers, delivery.body) == ({}, b"{}")
