"""Events: the way out and back in, and what people and attackers may send instead."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.strategies import entity_ids, events

from bitbylaw.common.errors import EventInvalid
from bitbylaw.common.events import (
    MAX_HEADER_CHARACTERS,
    MAX_PAYLOAD_BYTES,
    Action,
    EntityRef,
    Event,
    Header,
    Kind,
    parse_event,
    parse_subject,
    valid_entity_id,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ID = "0123456789abcdef0"
KEYED = f"vmh.document.update.{ID}"


@given(events())
def test_event_survives_its_message(event: Event) -> None:
    """What a service publishes is what the next one reads."""
    assert parse_event(event.subject, event.payload(), event.headers(), source="bus", now=NOW) == event


@given(events())
def test_headers_of_an_event_are_cloudevents(event: Event) -> None:
    """CloudEvents' binary mode: the required attributes stand in `ce-*` headers; a fresh event names no attempt."""
    headers = event.headers()
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-type"] == event.typed_subject
    assert {"ce-id", "ce-source", "ce-time", "traceparent"} <= headers.keys()
    assert (Header.ATTEMPT in headers) == (event.attempt > 0)
    assert event.entity.key.endswith(event.entity_id)


@given(st.sampled_from(Kind), st.sampled_from(Action), entity_ids())
def test_smallest_event_is_an_id(kind: Kind, action: Action, entity_id: str) -> None:
    """`nats pub vmh.document.update '{"entity_id":"…"}'` is a whole event; a keyed subject needs no body at all."""
    typed = f"vmh.{kind}.{action}"
    event = parse_event(typed, b'{"entity_id":"%s"}' % entity_id.encode(), None, source="inbox", now=NOW)
    keyed = parse_event(f"{typed}.{entity_id}", b" \n", {}, source="inbox", now=NOW)
    for one in (event, keyed):
        assert (one.kind, one.action, one.entity_id, one.source, one.time) == (kind, action, entity_id, "inbox", NOW)
        assert (one.attempt, one.force) == (0, False)


HOSTILE = st.text() | st.text("\x00\r\n.*> \u202e\ud800é٣0-9a-f", max_size=60)


@given(HOSTILE)
@example("vmh.document.update." + ID.upper())
@example("vmh.document.update." + ID + "\n")
@example("vmh.Document.update." + ID)
@example("vmh.document.update.")
@example("calendar.sync.all." + ID)
def test_hostile_subject_is_invalid_and_nothing_else(subject: str) -> None:
    """Whatever is no subject of ours is refused in words, never with another exception."""
    with pytest.raises(EventInvalid):
        parse_subject(subject)


@given(HOSTILE | st.none() | st.integers() | st.binary() | st.lists(st.text()))
@example(ID.upper())
@example(ID + "\n")
@example("٠" * 17)
@example("01234567-89ab-cdef-0123-456789abcdef0")
def test_hostile_id_is_invalid_and_nothing_else(value: object) -> None:
    """Only 17 lowercase hex digits or a UUID are an id; no other value of JSON is, and none is quoted back."""
    with pytest.raises(EventInvalid):
        valid_entity_id(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["entity_id", "force"]), inner),
)


@given(st.binary() | JSON.map(lambda value: repr(value).encode(errors="replace")))
@example(b"")
@example(b"\xff\xfe")
@example(b'{"entity_id":"' + ID.encode() + b'","force":"yes"}')
@example(b'{"entity_id":"\\ud800"}')
@example(b'{"entity_id":null}')
@example(b'{"x":' + b"[" * 60_000)
@example(b'{"x":' + b'{"x":' * 12_000)
@example(b"[" * MAX_PAYLOAD_BYTES)
@example(b'{"entity_id":"' + b"a" * MAX_PAYLOAD_BYTES + b'"}')
def test_hostile_body_is_invalid_and_nothing_else(body: bytes) -> None:
    """A body that names no entity is refused, however malformed, deep or long it is."""
    with pytest.raises(EventInvalid):
        parse_event("vmh.document.update", body, {}, source="inbox", now=NOW)


@given(st.dictionaries(st.sampled_from(Header).map(str), HOSTILE | st.text(min_size=300)))
@example({"ce-time": "0001-01-01T00:00:00+23:59", "traceparent": "00-" + "0" * 32 + "-" + "1" * 16 + "-01"})
@example({"ce-time": "9999-12-31T23:59:59-23:59", Header.ATTEMPT: "-1"})
@example({Header.ATTEMPT: "9" * 5000, "ce-source": "s" * 1_000_000, "ce-id": "i" * 1_000_000})
def test_hostile_headers_fall_back_to_what_is_known(headers: dict[str, str]) -> None:
    """Headers are optional, so a malformed one is as good as none; what is kept fits into a message again."""
    event = parse_event(KEYED, b"", headers, source="bus", now=NOW)
    assert event.entity == EntityRef("CDokumente", ID)
    assert 0 <= event.attempt <= 999
    assert 0 < len(event.source) <= MAX_HEADER_CHARACTERS
    assert 0 < len(event.id) <= MAX_HEADER_CHARACTERS
    assert sum(map(len, event.headers().values())) < 4096
    assert (NOW - event.time).total_seconds() is not None


def test_subject_and_payload_must_agree() -> None:
    """A keyed subject with another entity in its payload is nobody's event."""
    with pytest.raises(EventInvalid, match="not the id in the subject"):
        parse_event(KEYED, b'{"entity_id":"00000000000000000"}', {}, source="bus", now=NOW)


def test_time_without_a_zone_is_utc() -> None:
    """A person's `ce-time` without a zone is read as UTC."""
    event = parse_event(KEYED, b"", {"ce-time": "2026-01-02T03:04:05"}, source="bus", now=NOW)
    assert event.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "body"), [({Header.FORCE: "true"}, b""), ({}, b'{"entity_id":"%s","force":true}' % ID.encode())]
)
def test_force_by_header_or_payload(headers: dict[str, str], body: bytes) -> None:
    """A full comparison can be asked for either way."""
    assert parse_event(KEYED, body, headers, source="bus", now=NOW).force


def test_fault_texts_quote_no_body() -> None:
    """The words for the person who typed it do not repeat what may be personal data."""
    with pytest.raises(EventInvalid) as refused:
        parse_event("vmh.document.update", b'{"entity_id":"Max Mustermann"}', {}, source="inbox", now=NOW)
    assert not re.search("Max|Mustermann", str(refused.value))
