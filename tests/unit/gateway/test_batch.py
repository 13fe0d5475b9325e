"""Webhook bodies read into events."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.recorded import Recorded, recorded_webhooks

from bitbylaw.common.errors import EventInvalid
from bitbylaw.common.events import Action, Kind
from bitbylaw.common.telemetry.trace import TraceParent
from bitbylaw.gateway.batch import Address, Batch, read_batch

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TRACE = TraceParent.new()
UPDATE = Address(Action.UPDATE, Kind.DOCUMENT)
ID = "6b04cd43a189d3089"


def read(body: bytes, address: Address = UPDATE) -> Batch:
    return read_batch(body, address, now=NOW, trace=TRACE)


def subjects(batch: Batch) -> list[str]:
    return [event.subject for event in batch.events]


@pytest.mark.parametrize("recorded", recorded_webhooks(), ids=lambda r: r.name)
def test_every_captured_body_gives_events(recorded: Recorded) -> None:
    """Each captured body is read without a rejected element; links tell both ends that we handle."""
    action = Action(recorded.address.partition("?")[0].rsplit("/", 1)[1])
    owner = recorded.address.partition("entityType=")[2] or None
    kind = None if owner else Kind(recorded.address.split("/")[3])
    batch = read(recorded.body, Address(action, kind, owner))
    assert batch.rejected == ()
    assert batch.events
    assert {event.action for event in batch.events} == {action}


def test_ten_copies_in_one_body_are_one_event() -> None:
    """One event per entity: the eight captured updates of one document are one."""
    body = b'[{"id":"%s","seiten":1},{"id":"%s","seiten":2}]' % (ID.encode(), ID.encode())
    batch = read(body)
    assert subjects(batch) == [f"vmh.document.update.{ID}"]
    assert batch.total == 2


def test_a_single_object_is_taken_too() -> None:
    """An object instead of an array is a batch of one."""
    assert subjects(read(b' {"id":"%s"}' % ID.encode())) == [f"vmh.document.update.{ID}"]


def test_bad_elements_stand_apart_with_their_place() -> None:
    """Bad elements do not spoil the good ones; each names its index and why, and keeps no data."""
    good = b'{"id":"%s"}' % ID.encode()
    bad = [b'{"name":"Max"}', b'"text"', b"5", b'{"id":5}', b'{"id":"../x"}', b'{"id":""}', b"null", b"[]"]
    batch = read(b"[" + b",".join([good, *bad]) + b"]")
    assert subjects(batch) == [f"vmh.document.update.{ID}"]
    assert [rejected.index for rejected in batch.rejected] == list(range(1, 9))
    assert not any("Max" in rejected.error for rejected in batch.rejected)


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[", b'"text"', b"5", b"null", b"\xff\xfe", b'{"id":', b"[" * 9999]
)
def test_a_body_that_is_no_batch_is_refused_whole(body: bytes) -> None:
    """What is neither a JSON array nor an object is one error, whatever it is."""
    with pytest.raises(EventInvalid):
        read(body)


def test_a_link_names_its_owner_in_the_element_or_in_the_address() -> None:
    """The owner's type comes from the element, else from ?entityType=; without either the element is rejected."""
    element = {
        "id": ID,
        "link": "raeumungsklages",
        "foreignEntityType": "Raeumungsklage",
        "foreignId": "6b04cd4365475cb53",
    }
    both = [f"vmh.document.link.{ID}", "vmh.raeumungsklage.link.6b04cd4365475cb53"]
    body = msgspec.json.encode([element])
    assert subjects(read(body, Address(Action.LINK, owner_type="CDokumente"))) == both
    named = msgspec.json.encode([{**element, "entityType": "CDokumente"}])
    assert subjects(read(named, Address(Action.LINK, owner_type="Account"))) == both
    assert len(read(body, Address(Action.LINK)).rejected) == 1
    assert len(read(body, Address(Action.LINK, owner_type="CNope")).rejected) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(json_values, max_size=10))
def test_any_array_is_events_and_rejections_together(elements: list[object]) -> None:
    """Whatever the elements are, each one is either covered by an event or rejected; nothing raises."""
    batch = read(msgspec.json.encode(elements))
    assert batch.total == len(elements)
    assert len(batch.rejected) + len(batch.events) <= batch.total or batch.events == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_one_error(body: bytes) -> None:
    """No body makes anything else than a batch or EventInvalid."""
    try:
        read(body)
    except EventInvalid:
        return
