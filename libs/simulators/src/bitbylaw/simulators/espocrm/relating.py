"""Reading and changing what a record is linked to, whatever kind of link it is."""

import msgspec

from bitbylaw.simulators.espocrm.schema import EntityType, Field, FieldType, Link, LinkKind
from bitbylaw.simulators.espocrm.store import Record, Store


class Pair(msgspec.Struct, frozen=True):
    """Two records that were just linked or unlinked, seen from the side the call was made on."""

    record_id: str
    link: str
    foreign_type: str
    foreign_id: str


class Relating:
    """Links of records as data: no access checks, no events."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ids(self, record: Record, field: Field) -> list[str]:
        """The ids a field to many shows: pairs of its link, or the attachments of the field."""
        if field.type is FieldType.ATTACHMENT_MULTIPLE:
            return [attachment.id for attachment in self.attachments(record, field)]
        link = record.entity_type.link_by_name.get(field.name)
        return [] if link is None else [foreign.id for foreign in self.related(record, link)]

    def attachments(self, record: Record, field: Field) -> list[Record]:
        """The attachments of an attachmentMultiple field."""
        children = self._store.children("Attachment", "parentId", record.id)
        kind = record.entity_type.name
        return [a for a in children if a.get("parentType") == kind and a.get("field") == field.name]

    def related(self, record: Record, link: Link) -> list[Record]:
        """The living records at the other end of a link to many."""
        if link.entity_type is None:
            return []
        if link.kind is LinkKind.MANY_MANY and link.relation:
            table = self._store.tables[link.entity_type]
            ids = self._store.relations[link.relation].linked(record.entity_type.name, record.id)
            return [foreign for i in ids if (foreign := table.find(i)) is not None]
        if link.kind is LinkKind.HAS_MANY:
            return self._store.children(link.entity_type, f"{link.foreign}Id", record.id)
        return []

    def link(self, record: Record, link: Link, foreign: Record) -> bool:
        """Link two records; False when they were linked. On 1:n the child's id column changes silently."""
        if link.kind is LinkKind.MANY_MANY and link.relation:
            self._store.touch()
            return self._store.relations[link.relation].add(record.entity_type.name, record.id, foreign.id)
        if foreign.get(f"{link.foreign}Id") == record.id:
            return False
        self._store.change(foreign, {f"{link.foreign}Id": record.id})
        return True

    def unlink(self, record: Record, link: Link, foreign: Record) -> bool:
        """Unlink two records; False when they were not linked."""
        if link.kind is LinkKind.MANY_MANY and link.relation:
            self._store.touch()
            return self._store.relations[link.relation].remove(record.entity_type.name, record.id, foreign.id)
        if foreign.get(f"{link.foreign}Id") != record.id:
            return False
        self._store.change(foreign, {f"{link.foreign}Id": None})
        return True

    def replace(self, record: Record, link: Link, ids: list[str]) -> tuple[list[Pair], list[Pair]]:
        """Make `ids` the whole set of a link; return the pairs that are new and those that are gone."""
        table = self._store.tables[link.entity_type or ""]
        before = [foreign.id for foreign in self.related(record, link)]
        added = [i for i in ids if self.link(record, link, table.records[i])]
        gone = [i for i in before if i not in ids and self.unlink(record, link, table.records[i])]
        if link.relation:
            self._store.relations[link.relation].reorder(record.entity_type.name, record.id, ids)
        return self._pairs(record, link, added), self._pairs(record, link, gone)

    def _pairs(self, record: Record, link: Link, ids: list[str]) -> list[Pair]:
        kind = link.entity_type or ""
        return [Pair(record_id=record.id, link=link.name, foreign_type=kind, foreign_id=i) for i in ids]


def many_link(entity_type: EntityType, field: Field) -> Link | None:
    """The link behind a linkMultiple field that can be written; None where there is none (teams, followers)."""
    return None if field.type is not FieldType.LINK_MULTIPLE else entity_type.link_by_name.get(field.name)
