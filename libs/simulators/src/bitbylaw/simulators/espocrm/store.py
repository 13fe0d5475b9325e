"""The records and the pairs between them, indexed by time and by link; knows nothing of users, rules or HTTP."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from bitbylaw.simulators.espocrm.schema import EntityType, LinkKind, Role, Schema

TIME_INDEXES = ("createdAt", "modifiedAt")
_AFTER_ALL_IDS = "~"


class Record:
    """One record: `values` holds the stored attributes that were ever set, without the id."""

    __slots__ = ("deleted", "entity_type", "id", "values")

    def __init__(self, entity_type: EntityType, record_id: str, values: dict[str, Any], *, deleted: bool) -> None:
        self.entity_type = entity_type
        self.id = record_id
        self.values = values
        self.deleted = deleted

    def get(self, attribute: str) -> Any:
        """Return a stored attribute, `id` or `deleted`; None when it was never set."""
        if attribute == "id":
            return self.id
        return self.deleted if attribute == "deleted" else self.values.get(attribute)


class Table:
    """The records of one entity type; the time indexes hold those that are not deleted."""

    def __init__(self, entity_type: EntityType) -> None:
        self.entity_type = entity_type
        self.records: dict[str, Record] = {}
        self.by_time: dict[str, list[tuple[str, str]]] = {name: [] for name in TIME_INDEXES}

    def find(self, record_id: str) -> Record | None:
        """Return the record unless it is unknown or deleted."""
        record = self.records.get(record_id)
        return None if record is None or record.deleted else record

    def living(self) -> Iterator[Record]:
        """Every record that is not deleted."""
        return (record for record in self.records.values() if not record.deleted)

    def between(self, attribute: str, lower: str | None, upper: str | None) -> Iterator[Record]:
        """The living records whose time is within the bounds, both included, oldest first."""
        index = self.by_time[attribute]
        start = 0 if lower is None else bisect_left(index, (lower, ""))
        end = len(index) if upper is None else bisect_left(index, (upper, _AFTER_ALL_IDS))
        return (self.records[index[place][1]] for place in range(start, end))

    def enter(self, record: Record) -> None:
        """Enter a living record into the time indexes."""
        for name, index in self.by_time.items():
            insort(index, (record.values.get(name) or "", record.id))

    def leave(self, record: Record) -> None:
        """Take a record out of the time indexes."""
        for name, index in self.by_time.items():
            entry = (record.values.get(name) or "", record.id)
            place = bisect_left(index, entry)
            if place < len(index) and index[place] == entry:
                del index[place]


class Relation:
    """The pairs of one manyMany relation, kept for both sides in the order they were made."""

    def __init__(self, one: str, other: str) -> None:
        self._sides: dict[str, dict[str, dict[str, None]]] = {one: {}, other: {}}
        self._opposite = {one: other, other: one}

    def linked(self, entity_type: str, record_id: str) -> list[str]:
        """The ids on the other side."""
        return list(self._sides[entity_type].get(record_id, ()))

    def add(self, entity_type: str, record_id: str, foreign_id: str) -> bool:
        """Make a pair; False when it was there."""
        mine = self._sides[entity_type].setdefault(record_id, {})
        if foreign_id in mine:
            return False
        mine[foreign_id] = None
        self._sides[self._opposite[entity_type]].setdefault(foreign_id, {})[record_id] = None
        return True

    def remove(self, entity_type: str, record_id: str, foreign_id: str) -> bool:
        """Undo a pair; False when there was none."""
        mine = self._sides[entity_type].get(record_id, {})
        if foreign_id not in mine:
            return False
        del mine[foreign_id]
        del self._sides[self._opposite[entity_type]][foreign_id][record_id]
        return True

    def reorder(self, entity_type: str, record_id: str, ids: Iterable[str]) -> None:
        """Keep the pairs of one record in this order; pairs that `ids` does not name come last."""
        old = self._sides[entity_type].get(record_id, {})
        self._sides[entity_type][record_id] = dict.fromkeys([i for i in ids if i in old] + list(old))

    def pairs(self) -> dict[str, dict[str, list[str]]]:
        """Both sides as plain data, for a snapshot."""
        return {side: {i: list(ids) for i, ids in table.items() if ids} for side, table in self._sides.items()}

    def load(self, pairs: dict[str, dict[str, list[str]]]) -> None:
        """Take what `pairs` gave."""
        for side, table in pairs.items():
            self._sides[side] = {i: dict.fromkeys(ids) for i, ids in table.items()}


class Store:
    """All tables and relations. `revision` rises with every change, so that a snapshot knows whether it is stale."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.tables = {entity_type.name: Table(entity_type) for entity_type in schema.entity_types}
        self.relations: dict[str, Relation] = {}
        self.revision = 0
        self._children: defaultdict[tuple[str, str], dict[str, dict[str, None]]] = defaultdict(dict)
        for entity_type in schema.entity_types:
            for link in entity_type.links:
                if link.kind is LinkKind.MANY_MANY and link.relation and link.entity_type:
                    self.relations.setdefault(link.relation, Relation(entity_type.name, link.entity_type))

    def add(self, record: Record) -> None:
        """Take in a new record."""
        table = self.tables[record.entity_type.name]
        table.records[record.id] = record
        if not record.deleted:
            table.enter(record)
        self._adopt(record, record.values)
        self.revision += 1

    def change(self, record: Record, changes: dict[str, Any]) -> None:
        """Set stored attributes of a record."""
        table = self.tables[record.entity_type.name]
        if not record.deleted:
            table.leave(record)
        self._disown(record, changes)
        record.values.update(changes)
        self._adopt(record, changes)
        if not record.deleted:
            table.enter(record)
        self.revision += 1

    def set_deleted(self, record: Record, *, deleted: bool) -> None:
        """Delete a record softly, or bring it back."""
        table = self.tables[record.entity_type.name]
        table.leave(record)
        record.deleted = deleted
        if not deleted:
            table.enter(record)
        self.revision += 1

    def children(self, entity_type: str, attribute: str, parent_id: str) -> list[Record]:
        """The living records of a type whose link attribute (`cBeteiligteId`) holds this id, in the order they came."""
        table = self.tables[entity_type]
        ids = self._children[entity_type, attribute].get(parent_id, {})
        return [record for i in ids if (record := table.find(i)) is not None]

    def name_of(self, entity_type: str | None, record_id: str | None) -> str | None:
        """The name of a record, also of a deleted one; None when there is no such record."""
        table = self.tables.get(entity_type or "")
        record = table.records.get(record_id or "") if table is not None else None
        return None if record is None else record.values.get("name")

    def touch(self) -> None:
        """Note a change that was made to a relation directly."""
        self.revision += 1

    def _adopt(self, record: Record, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if value is not None and self._is_link_id(record, name):
                self._children[record.entity_type.name, name].setdefault(value, {})[record.id] = None

    def _disown(self, record: Record, changes: dict[str, Any]) -> None:
        for name in changes:
            old = record.values.get(name)
            if old is not None and self._is_link_id(record, name):
                self._children[record.entity_type.name, name].get(old, {}).pop(record.id, None)

    def _is_link_id(self, record: Record, name: str) -> bool:
        attribute = record.entity_type.attributes.get(name)
        return attribute is not None and attribute.role is Role.LINK_ID and not attribute.field.read_only
