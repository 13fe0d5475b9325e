"""Events: hints that an entity may have changed, and the subjects they travel on.

An event carries no data of the entity: whoever handles it reads both sides again. Typed by people an event has a
three-token subject (`vmh.document.update`) and names its entity in the payload; inside it is keyed by a fourth token.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from uuid import uuid4

import msgspec

from bitbylaw.common.errors import EventInvalid
from bitbylaw.common.telemetry.trace import TraceParent

#: EspoCRM's record ids: 17 lowercase hex digits, or a UUID where the installation says so (reference espocrm.md, 4).
ENTITY_ID = re.compile(r"[0-9a-f]{17}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

MAX_PAYLOAD_BYTES = 64 * 1024
#: Longest `ce-id` and `ce-source` that are taken over; they go back out in headers, where they must not break limits.
MAX_HEADER_CHARACTERS = 256


class Action(StrEnum):
    """What is said to have happened to the entity."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    LINK = "link"
    UNLINK = "unlink"
    SYNC_CHECK = "sync_check"


class Kind(StrEnum):
    """The entities of module `vmh`, by their word in subjects and addresses."""

    DOCUMENT = "document"
    BETEILIGTE = "beteiligte"
    BANKVERBINDUNGEN = "bankverbindungen"
    RAEUMUNGSKLAGE = "raeumungsklage"
    ACCOUNT = "account"


#: EspoCRM's entity type behind each word.
ENTITY_TYPES: Mapping[Kind, str] = {
    Kind.DOCUMENT: "CDokumente",
    Kind.BETEILIGTE: "CBeteiligte",
    Kind.BANKVERBINDUNGEN: "Bankverbindungen",
    Kind.RAEUMUNGSKLAGE: "Raeumungsklage",
    Kind.ACCOUNT: "Account",
}
KINDS: Mapping[str, Kind] = {entity_type: kind for kind, entity_type in ENTITY_TYPES.items()}


class EntityRef(msgspec.Struct, frozen=True, order=True):
    """One record of EspoCRM: its entity type there (`CDokumente`) and its id."""

    type: str
    id: str

    @property
    def key(self) -> str:
        """`Type.id`, fit for a KV key."""
        return f"{self.type}.{self.id}"


class Header(StrEnum):
    """Headers of ours on the bus, beside CloudEvents' `ce-*` and W3C's `traceparent`."""

    ATTEMPT = "Bitbylaw-Attempt"
    FORCE = "Bitbylaw-Force"
    TRACEPARENT = "traceparent"
    CE_ID = "ce-id"
    CE_SOURCE = "ce-source"
    CE_TIME = "ce-time"
    CE_TYPE = "ce-type"
    CE_SPECVERSION = "ce-specversion"
    MSG_ID = "Nats-Msg-Id"


class EventPayload(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON of an event. `entity_id` alone is enough; `force` asks for a full comparison even if nothing changed."""

    entity_id: str
    force: bool = False


class Event(msgspec.Struct, frozen=True):
    """One hint.

    `attempt` counts the real failures before this delivery (0 for a fresh event), `time` is when it was first said,
    `source` who said it (`espocrm`, `inbox`, `sweep` …), `trace` the trace it belongs to.
    """

    kind: Kind
    action: Action
    entity_id: str
    source: str
    time: datetime
    trace: TraceParent
    attempt: int = 0
    force: bool = False
    id: str = msgspec.field(default_factory=lambda: uuid4().hex)

    @property
    def entity(self) -> EntityRef:
        """The EspoCRM record the event is about."""
        return EntityRef(ENTITY_TYPES[self.kind], self.entity_id)

    @property
    def typed_subject(self) -> str:
        """The three-token subject people type."""
        return f"vmh.{self.kind}.{self.action}"

    @property
    def subject(self) -> str:
        """The keyed subject in stream EVENTS."""
        return f"{self.typed_subject}.{self.entity_id}"

    def payload(self) -> bytes:
        """The message body."""
        return msgspec.json.encode(EventPayload(self.entity_id, force=self.force))

    def headers(self) -> dict[str, str]:
        """CloudEvents (binary mode), trace and attempt headers."""
        headers = {
            Header.CE_SPECVERSION.value: "1.0",
            Header.CE_ID.value: self.id,
            Header.CE_SOURCE.value: self.source,
            Header.CE_TYPE.value: self.typed_subject,
            Header.CE_TIME.value: self.time.isoformat(timespec="milliseconds"),
            Header.TRACEPARENT.value: self.trace.header(),
        }
        if self.attempt:
            headers[Header.ATTEMPT.value] = str(self.attempt)
        return headers


def valid_entity_id(value: object) -> str:
    """`value` as an entity id.

    Raises:
        EventInvalid: it is no string, or not of the form EspoCRM gives its ids.
    """
    if not isinstance(value, str):
        raise EventInvalid(f"id is {type(value).__name__}, not a string")
    if not ENTITY_ID.fullmatch(value):
        raise EventInvalid(f"id of {len(value)} characters is not of EspoCRM's form (17 hex digits or a UUID)")
    return value


def parse_subject(subject: str) -> tuple[Kind, Action, str | None]:
    """Entity, action and (when keyed) id that a subject names.

    Raises:
        EventInvalid: it is not a subject of module `vmh`, or the id is of the wrong form.
    """
    tokens = subject.split(".")
    if len(tokens) not in {3, 4} or tokens[0] != "vmh":
        raise EventInvalid(f"subject {subject!r} is not vmh.<entity>.<action>")
    try:
        kind, action = Kind(tokens[1]), Action(tokens[2])
    except ValueError:
        raise EventInvalid(f"subject {subject!r} names an unknown entity or action") from None
    return kind, action, valid_entity_id(tokens[3]) if len(tokens) == 4 else None  # noqa: PLR2004  (the key's place)


def parse_event(subject: str, body: bytes, headers: Mapping[str, str] | None, *, source: str, now: datetime) -> Event:
    """The event that a message stands for; headers are optional, `entity_id` is not (a keyed subject may stand in).

    Raises:
        EventInvalid: with what is wrong, in words for the person who typed it.
    """
    kind, action, keyed_id = parse_subject(subject)
    payload = _payload(body, keyed_id)
    if keyed_id is not None and payload.entity_id != keyed_id:
        raise EventInvalid("entity_id in the payload is not the id in the subject")
    given = headers or {}
    attempt = given.get(Header.ATTEMPT, "0")
    return Event(
        kind=kind,
        action=action,
        entity_id=payload.entity_id,
        source=given.get(Header.CE_SOURCE, "")[:MAX_HEADER_CHARACTERS].strip() or source,
        time=_time(given.get(Header.CE_TIME), now),
        trace=TraceParent.parse(given.get(Header.TRACEPARENT)) or TraceParent.new(),
        attempt=int(attempt) if attempt.isdecimal() and len(attempt) < 4 else 0,  # noqa: PLR2004  (999 tries at most)
        force=payload.force or given.get(Header.FORCE) == "true",
        id=given.get(Header.CE_ID, "")[:MAX_HEADER_CHARACTERS].strip() or uuid4().hex,
    )


def _payload(body: bytes, keyed_id: str | None) -> EventPayload:
    if len(body) > MAX_PAYLOAD_BYTES:
        raise EventInvalid(f"payload of {len(body)} bytes; at most {MAX_PAYLOAD_BYTES} make an event")
    if not body.strip() and keyed_id is not None:
        return EventPayload(keyed_id)
    try:
        payload = msgspec.json.decode(body, type=EventPayload)
    except msgspec.ValidationError as error:
        raise EventInvalid(f'payload is not {{"entity_id":"…"}}: {error}') from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EventInvalid("payload is not JSON") from None
    valid_entity_id(payload.entity_id)
    return payload


def _time(text: str | None, now: datetime) -> datetime:
    try:
        parsed = datetime.fromisoformat(text) if text else now
    except ValueError:
        return now
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
