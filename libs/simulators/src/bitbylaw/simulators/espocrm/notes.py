"""The stream: notes that EspoCRM writes about records, and posts that people and services write (sample 10)."""

from collections.abc import Mapping
from typing import Any

from bitbylaw.simulators.espocrm.clock import Clock, MakeId, date_time
from bitbylaw.simulators.espocrm.coercion import Sent
from bitbylaw.simulators.espocrm.errors import forbidden, not_found
from bitbylaw.simulators.espocrm.rendering import Rendering, Shown
from bitbylaw.simulators.espocrm.rules import EntityRules
from bitbylaw.simulators.espocrm.store import Record, Store
from bitbylaw.simulators.espocrm.users import Action, EspoUser

NOTE = "Note"
_BEFORE_ATTACHMENTS = (
    *("deleted", "post", "data", "type", "targetType", "number", "isGlobal", "createdByGender", "isInternal"),
    *("isPinned", "reactionCounts", "myReactions", "createdAt", "modifiedAt", "parentId", "parentType"),
    *("relatedId", "relatedType"),
)
_AFTER_ATTACHMENTS = (
    *("createdById", "createdByName", "modifiedById", "modifiedByName", "superParentId", "superParentType"),
)
_ALWAYS_FALSE = frozenset({"isGlobal", "isPinned"})


class NoteBook:
    """Writes the notes of records that have a stream."""

    def __init__(self, store: Store, clock: Clock, make_id: MakeId) -> None:
        self._store = store
        self._table = store.tables[NOTE]
        self._clock = clock
        self._make_id = make_id
        self._last_number = 0

    def next_number(self) -> int:
        """The number of the next note."""
        if self._last_number < len(self._table.records):
            self._last_number = max(note.get("number") or 0 for note in self._table.records.values())
        self._last_number += 1
        return self._last_number

    def created(self, user: EspoUser, record: Record) -> None:
        """Note that a record was made; the account it belongs to is the note's super parent."""
        if record.entity_type.stream:
            account = record.get("accountId")
            super_parent = {"superParentId": account, "superParentType": "Account"} if account else {}
            self._write(user, record, "Create", super_parent)

    def updated(self, user: EspoUser, record: Record, changes: Mapping[str, Any]) -> None:
        """Note that a record's status changed."""
        if record.entity_type.stream and record.entity_type.status_field in changes:
            self._write(user, record, "Status", {})

    def of(self, record: Record) -> list[Record]:
        """The notes about a record, newest first."""
        notes = self._store.children(NOTE, "parentId", record.id)
        mine = [note for note in notes if note.get("parentType") == record.entity_type.name]
        return sorted(mine, key=lambda note: -(note.get("number") or 0))

    def _write(self, user: EspoUser, record: Record, kind: str, values: Mapping[str, Any]) -> None:
        now = date_time(self._clock())
        common = {
            "data": {},
            "type": kind,
            "number": self.next_number(),
            "isInternal": False,
            "createdAt": now,
            "modifiedAt": now,
            "createdById": user.id,
            "parentId": record.id,
            "parentType": record.entity_type.name,
        }
        note = Record(self._table.entity_type, self._make_id(), {**common, **values}, deleted=False)
        self._store.add(note)


class NoteRules(EntityRules):
    """Posts: on records one may read; they renew the record's place in the stream."""

    def __init__(self, store: Store, book: NoteBook) -> None:
        self._store = store
        self._book = book

    def prepare_create(self, user: EspoUser, data: Mapping[str, Any], sent: Sent) -> None:
        """Check that the parent is there and may be read."""
        del data
        if sent.values.get("parentType") is None:
            return
        if self._parent(sent.values) is None:
            raise not_found("")
        if not user.may(sent.values["parentType"], Action.READ):
            raise forbidden("No access to parent record.")

    def server_values(self, user: EspoUser, data: Mapping[str, Any], sent: Sent) -> dict[str, Any]:
        """The note's number and its empty data."""
        del user, data, sent
        return {"data": {}, "number": self._book.next_number()}

    def after_save(self, user: EspoUser, record: Record, data: Mapping[str, Any], *, is_new: bool) -> None:
        """Renew the parent's `streamUpdatedAt`; neither its modifiedAt nor its version changes."""
        del user, data
        parent = self._parent(record.values)
        if is_new and parent is not None and parent.entity_type.stream:
            self._store.change(parent, {"streamUpdatedAt": record.get("createdAt")})

    def _parent(self, values: Mapping[str, Any]) -> Record | None:
        table = self._store.tables.get(values.get("parentType") or "")
        return None if table is None else table.find(values.get("parentId") or "")


def stream_row(rendering: Rendering, note: Record) -> Shown:
    """A note as the stream shows it; only posts have a list of attachments (sample 10)."""
    attributes = note.entity_type.attributes
    values = {name: rendering.value(note, attribute) for name, attribute in attributes.items()}
    values |= dict.fromkeys(_ALWAYS_FALSE, False)
    attachments = ("attachmentsIds", "attachmentsNames") if note.get("type") == "Post" else ()
    types = ("attachmentsTypes",) if note.get("type") == "Post" else ()
    names = (*_BEFORE_ATTACHMENTS, *attachments, *_AFTER_ATTACHMENTS, *types)
    return {"id": note.id, **{name: values.get(name) for name in names}}
