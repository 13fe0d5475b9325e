"""A record as the API shows it: whole, freshly created, as a row of a list; in EspoCRM's order (reference 3)."""

from collections.abc import Collection
from typing import Any

from bitbylaw.simulators.espocrm.contact_data import DATA_ATTRIBUTES
from bitbylaw.simulators.espocrm.relating import Relating
from bitbylaw.simulators.espocrm.schema import Attribute, EntityType, Field, FieldType, Role
from bitbylaw.simulators.espocrm.store import Record, Store

Shown = dict[str, Any]


class Rendering:
    """Shows records."""

    def __init__(self, store: Store, relating: Relating, text_limit_in_list: int) -> None:
        self._store = store
        self._relating = relating
        self._text_limit = text_limit_in_list

    def full(self, record: Record) -> Shown:
        """A single record: every attribute, null where nothing was set."""
        shown = [a for a in record.entity_type.attributes.values() if not a.field.hidden]
        return {"id": record.id, **{a.name: self.value(record, a) for a in shown}}

    def created(self, record: Record) -> Shown:
        """The answer to a create: the attributes that were set, and those EspoCRM loads besides (names, lists)."""
        return {
            "id": record.id,
            **{
                a.name: self.value(record, a)
                for a in record.entity_type.attributes.values()
                if not a.field.hidden and (not a.stored or a.name in record.values or a.name == "deleted")
            },
        }

    def row(self, record: Record, select: Collection[str] | None) -> Shown:
        """A row of a list: the selected attributes, or without `select` all but the lists. Long texts are cut."""
        row: Shown = {"id": record.id}
        for attribute in record.entity_type.attributes.values():
            if self._in_row(attribute, select):
                value = self.value(record, attribute)
                cut = attribute.field.type is FieldType.TEXT and isinstance(value, str)
                row[attribute.name] = value[: self._text_limit] if cut else value
        return row

    def value(self, record: Record, attribute: Attribute) -> Any:
        """One attribute of a record, computed where it is not stored."""
        if attribute.stored:
            return record.get(attribute.name)
        field = attribute.field
        if attribute.role is Role.LINK_NAME:
            return self._store.name_of(linked_type(record, field), record.values.get(f"{field.name}Id"))
        if attribute.role is Role.MANY_IDS:
            return self._relating.ids(record, field)
        if attribute.role is Role.MANY_NAMES:
            return self.names(field, self._relating.ids(record, field))
        return self._loaded(record, attribute.name)

    def names(self, field: Field, ids: list[str]) -> dict[str, str | None]:
        """The map from ids to names beside the ids of a field to many."""
        return {i: self._store.name_of(field.foreign, i) for i in ids}

    def _loaded(self, record: Record, name: str) -> Any:
        if name in DATA_ATTRIBUTES:
            return record.values.get(name, [])
        if name.endswith("Types"):
            field = record.entity_type.field_by_name[name.removesuffix("Types")]
            return {a.id: a.get("type") for a in self._relating.attachments(record, field)}
        return [] if name == "myReactions" else None

    @staticmethod
    def _in_row(attribute: Attribute, select: Collection[str] | None) -> bool:
        if attribute.field.hidden:
            return False
        if select is None:
            return attribute.field.in_list
        if attribute.role in {Role.MANY_IDS, Role.MANY_NAMES}:
            return f"{attribute.field.name}Ids" in select or f"{attribute.field.name}Names" in select
        return attribute.name in select


def linked_type(record: Record, field: Field) -> str | None:
    """The entity type a link field of this record leads to."""
    return record.values.get(f"{field.name}Type") if field.type is FieldType.LINK_PARENT else field.foreign


def selected(entity_type: EntityType, select: Collection[str] | None, order_by: str) -> set[str] | None:
    """What a list returns for `select`: also the order's attribute, the creator and the assigned user (sample 04)."""
    if select is None:
        return None
    always = {order_by, "createdById", "assignedUserId"}
    return {name for name in {*select, *always} if name in entity_type.attributes}
