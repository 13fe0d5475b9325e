"""A webhook's body read into events: one per entity, bad elements apart. Pure.

EspoCRM sends an array, oldest element first, and never sends it again after a 2xx; a batch with one bad element is
still a good batch. Elements only name entities: their data is left behind, since it may be old when it arrives.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from random import getrandbits

import msgspec

from bitbylaw.common.errors import EventInvalid
from bitbylaw.common.events import KINDS, Action, Event, Kind, valid_entity_id
from bitbylaw.common.telemetry.trace import TraceParent

SOURCE = "espocrm"


class Element(msgspec.Struct, frozen=True, rename="camel"):
    """What we read of an element. The link form is a custom hook's (reference espocrm.md, 2)."""

    id: object = None
    entity_type: str | None = None
    link: str | None = None
    foreign_entity_type: str | None = None
    foreign_id: object = None


class Rejected(msgspec.Struct, frozen=True):
    """A bad element: its place in the batch, why, and what identifies it without keeping its data."""

    index: int
    error: str
    sha256: str
    size: int


class Batch(msgspec.Struct, frozen=True):
    """`total` elements were read into `events`, the newest for each entity, and `rejected`."""

    events: tuple[Event, ...]
    rejected: tuple[Rejected, ...]
    total: int


class Address(msgspec.Struct, frozen=True):
    """What a webhook's address says: entity (None for link and unlink, where the element names it) and action."""

    action: Action
    kind: Kind | None = None
    owner_type: str | None = None


def read_batch(body: bytes, address: Address, *, now: datetime, trace: TraceParent) -> Batch:
    """The events that `body` stands for.

    Raises:
        EventInvalid: the body as a whole is unusable (no JSON, neither array nor object).
    """
    events: dict[str, Event] = {}
    rejected: list[Rejected] = []
    elements = _elements(body)
    for index, raw in enumerate(elements):
        try:
            element = _element(raw)
            for kind, entity_id in _entities(element, address):
                event = Event(kind, address.action, entity_id, SOURCE, now, trace, id=_event_id())
                events[event.subject] = event
        except EventInvalid as error:
            data = bytes(raw)
            rejected.append(Rejected(index, str(error), hashlib.sha256(data).hexdigest(), len(data)))
    return Batch(tuple(events.values()), tuple(rejected), len(elements))


def _event_id() -> str:
    """Unlike any other, guessable or not: what the operating system takes for secrets is many times slower."""
    return f"{getrandbits(128):032x}"


def _elements(body: bytes) -> list[msgspec.Raw]:
    try:
        if body.lstrip()[:1] == b"{":
            msgspec.json.decode(body)
            return [msgspec.Raw(body)]
        return msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        raise EventInvalid("body is neither a JSON array nor an object") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EventInvalid("body is not JSON") from None


def _element(raw: msgspec.Raw) -> Element:
    try:
        return msgspec.json.decode(raw, type=Element)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventInvalid(f"element is not an object with an id: {error}") from None


def _entities(element: Element, address: Address) -> Iterator[tuple[Kind, str]]:
    if element.id is None:
        raise EventInvalid("element has no id")
    if address.kind is not None:
        yield address.kind, valid_entity_id(element.id)
        return
    yield _kind(element.entity_type or address.owner_type), valid_entity_id(element.id)
    # A link has two ends; the other one is told as well when it is of a kind we handle.
    foreign = KINDS.get(element.foreign_entity_type or "")
    if foreign is not None and element.foreign_id is not None:
        yield foreign, valid_entity_id(element.foreign_id)


def _kind(entity_type: str | None) -> Kind:
    if entity_type is None:
        raise EventInvalid("neither the element nor ?entityType= names the owner's entity type")
    if entity_type not in KINDS:
        raise EventInvalid(f"entity type {entity_type[:50]!r} is not handled")
    return KINDS[entity_type]
