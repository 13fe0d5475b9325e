"""What a client sent, made fit for storing: unknown and read-only attributes dropped, values trimmed and converted.

EspoCRM ignores what it does not know instead of refusing it, trims strings, takes "12" for 12 and converts ISO dates
with an offset to UTC (reference 3 and 4, samples 02 and 06).
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from bitbylaw.simulators.espocrm.clock import DATE_TIME
from bitbylaw.simulators.espocrm.contact_data import DATA_ATTRIBUTES
from bitbylaw.simulators.espocrm.schema import STRING_TYPES, Attribute, EntityType, FieldType, Role


class Sent(msgspec.Struct):
    """A client's values by stored attribute, and the ids it sent for fields to many by field name."""

    values: dict[str, Any]
    many: dict[str, Any]


def coerced(entity_type: EntityType, data: Mapping[str, Any]) -> Sent:
    """Keep what the entity type knows and lets clients set, converted as far as it can be."""
    sent = Sent(values={}, many={})
    for name, value in data.items():
        attribute = entity_type.attributes.get(name)
        if attribute is None or attribute.field.read_only:
            continue
        if attribute.role is Role.MANY_IDS:
            sent.many[attribute.field.name] = value
        elif attribute.stored or name in DATA_ATTRIBUTES:
            sent.values[name] = _converted(attribute, value)
    return sent


def _converted(attribute: Attribute, value: Any) -> Any:
    kind = attribute.field.type
    if kind in STRING_TYPES and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return _from_text(kind, value)
    if kind is FieldType.BOOL and isinstance(value, int):
        return bool(value)
    return value


def _from_text(kind: FieldType, value: str) -> Any:
    trimmed = value.strip()
    if kind is FieldType.INT:
        with suppress(ValueError):
            return int(trimmed)
    if kind is FieldType.FLOAT:
        with suppress(ValueError):
            return float(trimmed)
    if kind is FieldType.BOOL:
        return trimmed not in {"", "0", "false"}
    if kind is FieldType.DATE_TIME:
        return _utc(trimmed)
    if kind in {FieldType.DATE, FieldType.INT} and not trimmed:
        return None
    return trimmed


def _utc(text: str) -> str | None:
    """Write an ISO date and time as EspoCRM stores it; what is no date stays as it is, for the validation to refuse."""
    if "T" not in text:
        return text or None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).strftime(DATE_TIME)
