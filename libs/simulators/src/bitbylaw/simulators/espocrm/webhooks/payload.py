"""What a webhook says about a change: which attributes, in which order (reference 1, samples 11 and 20)."""

from collections.abc import Collection
from typing import Any

from bitbylaw.simulators.espocrm.relating import Pair
from bitbylaw.simulators.espocrm.rendering import Rendering
from bitbylaw.simulators.espocrm.schema import Attribute, Field, Role
from bitbylaw.simulators.espocrm.store import Record

Payload = dict[str, Any]
UNREMARKABLE = frozenset({"isFollowed", "isStarred", "followers", "modifiedAt", "modifiedBy", "streamUpdatedAt"})
"""Fields whose change alone fires no update; `versionNumber` never counts as changed."""


class Payloads:
    """Builds payloads from records as they are after a save."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering

    def created(self, record: Record, sent_fields: Collection[str]) -> Payload:
        """The attributes that were set; names and id lists only of the links the client sent."""
        attributes = record.entity_type.attributes.values()
        return {"id": record.id, **self._of(record, [a for a in attributes if _was_set(record, a, sent_fields)])}

    def updated(self, record: Record, changed_fields: Collection[str], *, modifier_name: bool = True) -> Payload:
        """Only what changed, then the id; no old values. A mass update leaves the modifier's name out (sample 11)."""
        attributes = [a for a in record.entity_type.attributes.values() if a.field.name in changed_fields]
        shown = [a for a in attributes if modifier_name or a.name != "modifiedByName"]
        return {**self._of(record, shown), "id": record.id}

    def field_updated(self, record: Record, field: Field) -> Payload:
        """The id and every attribute of one field."""
        return {"id": record.id, **self._of(record, list(field.attributes()))}

    def _of(self, record: Record, attributes: list[Attribute]) -> Payload:
        return {a.name: self._rendering.value(record, a) for a in attributes if a.role is not Role.LOADED}


def deleted(record: Record) -> Payload:
    """The id alone."""
    return {"id": record.id}


def related(pair: Pair) -> Payload:
    """What the custom hook of sample 14 says about a link or unlink."""
    return {
        "id": pair.record_id,
        "link": pair.link,
        "foreignEntityType": pair.foreign_type,
        "foreignId": pair.foreign_id,
    }


def _was_set(record: Record, attribute: Attribute, sent_fields: Collection[str]) -> bool:
    if attribute.field.hidden:
        return False
    if attribute.stored:
        return attribute.name in record.values or attribute.name == "deleted"
    if attribute.role is Role.LINK_NAME:
        return attribute.field.name in sent_fields and f"{attribute.field.name}Id" in record.values
    return attribute.field.name in sent_fields
