"""The record service: create, read, update, delete, restore, as EspoCRM's REST API does them (reference 3).

HTTP and the in-process API both go through it, so that access, validation, versions and webhooks are the same for both.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bitbylaw.simulators.espocrm.clock import Clock, MakeId, date_time
from bitbylaw.simulators.espocrm.coercion import Sent, coerced
from bitbylaw.simulators.espocrm.contact_data import with_contact_data
from bitbylaw.simulators.espocrm.duplicates import duplicates_of
from bitbylaw.simulators.espocrm.errors import conflict, forbidden, not_found
from bitbylaw.simulators.espocrm.notes import NoteBook
from bitbylaw.simulators.espocrm.references import References
from bitbylaw.simulators.espocrm.rendering import Rendering
from bitbylaw.simulators.espocrm.rules import EntityRules
from bitbylaw.simulators.espocrm.schema import EntityType
from bitbylaw.simulators.espocrm.store import Record, Store
from bitbylaw.simulators.espocrm.users import Action, EspoUser
from bitbylaw.simulators.espocrm.validation import check_required, check_values
from bitbylaw.simulators.espocrm.webhooks.events import SaveEvents

Formula = Callable[["RecordService", EspoUser, Record, Mapping[str, Any]], None]
"""Automation before a save, run as the saving user: service, user, record, what was sent (reference 1, Loops)."""


class UpdateOptions(msgspec.Struct, frozen=True):
    """How an update differs from the usual one: the caller's `X-Version-Number`, and whether it is a mass update."""

    version: str | None = None
    mass: bool = False


USUAL_UPDATE = UpdateOptions()


class RecordService:
    """Saves and finds records of every entity type; what single types do besides is in their `EntityRules`."""

    def __init__(
        self,
        store: Store,
        rendering: Rendering,
        references: References,
        events: SaveEvents,
        notes: NoteBook,
        rules: Mapping[str, EntityRules],
        clock: Clock,
        make_id: MakeId,
    ) -> None:
        self.store = store
        self.formulas: dict[str, list[Formula]] = {}
        self._rendering = rendering
        self._references = references
        self._events = events
        self._notes = notes
        self._rules = rules
        self._usual_rules = EntityRules()
        self._clock = clock
        self._make_id = make_id

    def entity_type(self, name: str) -> EntityType:
        """The entity type of that name. Raises `EspoError` 404 as for an unknown controller."""
        entity_type = self.store.schema.by_name.get(name)
        if entity_type is None:
            raise not_found(f"Controller '{name}' does not exist.")
        return entity_type

    def rules(self, name: str) -> EntityRules:
        """The special rules of an entity type."""
        return self._rules.get(name, self._usual_rules)

    def read(self, user: EspoUser, name: str, record_id: str) -> Record:
        """A record that this user may read. Raises `EspoError` 404, 403."""
        self.entity_type(name)
        record = self.store.tables[name].find(record_id)
        if record is None:
            raise not_found(f"Record {record_id} does not exist.")
        if not self.rules(name).may(user, record, Action.READ):
            raise forbidden("No read access.")
        return record

    def find(self, user: EspoUser, name: str, record_id: str, action: Action) -> Record:
        """A record that this user may edit or delete. Raises `EspoError` 404, 403."""
        self.entity_type(name)
        record = self.store.tables[name].find(record_id)
        if record is None:
            raise not_found(f"Record {record_id} not found.")
        if not self.rules(name).may(user, record, action):
            raise forbidden(f"No {action} access.")
        return record

    def create(
        self, user: EspoUser, name: str, data: Mapping[str, Any], *, skip_duplicate_check: bool = False
    ) -> Record:
        """Make a record. Raises `EspoError` 400, 403, 409 `duplicate`."""
        entity_type = self.entity_type(name)
        if not user.may(name, Action.CREATE):
            raise forbidden("No create access.")
        sent = coerced(entity_type, data)
        rules = self.rules(name)
        rules.prepare_create(user, data, sent)
        check_required(entity_type, sent.values, only_sent=False)
        check_values(entity_type, sent)
        self._references.check(user, entity_type, None, sent)
        if not skip_duplicate_check:
            self._refuse_duplicates(entity_type, sent)
        record = Record(entity_type, self._make_id(), self._first_values(user, entity_type, sent), deleted=False)
        self._compute_name(record.values)
        record.values.update(rules.server_values(user, data, sent))
        self._run_formulas(user, record, data)
        self.store.add(record)
        pairs = self._references.save(record, sent)
        self._events.related(user, record, *pairs)
        self._notes.created(user, record)
        rules.after_save(user, record, data, is_new=True)
        self._events.created(user, record, _sent_fields(entity_type, sent))
        return record

    def update(
        self, user: EspoUser, name: str, record_id: str, data: Mapping[str, Any], options: UpdateOptions = USUAL_UPDATE
    ) -> Record:
        """Change the attributes sent and nothing else. Raises `EspoError` 400, 403, 404, 409 `modified`."""
        record = self.find(user, name, record_id, Action.EDIT)
        sent = coerced(record.entity_type, data)
        self.rules(name).prepare_update(user, record, sent)
        self._check_version(record, sent, options.version)
        check_required(record.entity_type, sent.values, only_sent=True)
        check_values(record.entity_type, sent)
        self._references.check(user, record.entity_type, record, sent)
        self._run_formulas(user, record, data)
        changed = self._apply(user, record, sent, options)
        self.rules(name).after_save(user, record, data, is_new=False)
        self._events.updated(user, record, changed, mass=options.mass)
        return record

    def delete(self, user: EspoUser, name: str, record_id: str) -> None:
        """Delete a record softly. Raises `EspoError` 404, 403."""
        record = self.find(user, name, record_id, Action.DELETE)
        self.store.set_deleted(record, deleted=True)
        self.rules(name).after_delete(user, record)
        self._events.deleted(user, record)

    def restore(self, user: EspoUser, name: str, record_id: str) -> None:
        """Bring a deleted record back; fires nothing (reference 1). For admins only."""
        self.entity_type(name)
        record = self.store.tables[name].records.get(record_id)
        if not user.is_admin:
            raise forbidden("No access.")
        if record is None or not record.deleted:
            raise not_found("")
        self.store.set_deleted(record, deleted=False)

    def _first_values(self, user: EspoUser, entity_type: EntityType, sent: Sent) -> dict[str, Any]:
        now = date_time(self._clock())
        defaults = {field.name: field.default for field in entity_type.fields if field.default is not None}
        set_by_server = {"createdAt": now, "modifiedAt": now, "createdById": user.id}
        if entity_type.stream:
            set_by_server["streamUpdatedAt"] = now
        version = {"versionNumber": 1} if entity_type.versioned else {}
        return {**defaults, **with_contact_data(sent.values, {}), **set_by_server, **version}

    def _apply(self, user: EspoUser, record: Record, sent: Sent, options: UpdateOptions) -> set[str]:
        """Store what was sent; return the fields that changed."""
        values = with_contact_data(sent.values, record.values)
        changes = {name: value for name, value in values.items() if record.get(name) != value}
        attributes = record.entity_type.attributes
        changed = {attributes[name].field.name for name in changes}
        changed |= {name for name, ids in sent.many.items() if self._references.differs(record, name, ids)}
        if changed and record.get("modifiedById") != user.id:
            changed.add("modifiedBy")
        self._notes.updated(user, record, changes)
        if {"firstName", "lastName"} & changes.keys():
            changes = {**changes, "name": None}
            self._compute_name(merged := {**record.values, **changes})
            changes["name"] = merged["name"]
        # A save without a change still bumps these (reference 1, sample 12).
        stamps: dict[str, Any] = {"modifiedAt": date_time(self._clock()), "modifiedById": user.id}
        if record.entity_type.versioned:
            stamps["versionNumber"] = record.get("versionNumber") + 1
        files_before = {name: record.get(name) for name in changes}
        self.store.change(record, {**changes, **stamps})
        pairs = self._references.save(record, sent, files_before)
        if not options.mass:
            self._events.related(user, record, *pairs)
        return changed

    def _check_version(self, record: Record, sent: Sent, version: str | None) -> None:
        """Refuse to overwrite what the caller has not seen (reference 3, Concurrency; sample 03)."""
        if version is None or not record.entity_type.versioned:
            return
        current = record.get("versionNumber")
        if current == (int(version) if version.isdigit() else 0):
            return
        values = {name: record.get(name) for name, value in sent.values.items() if record.get(name) != value}
        for name, ids in sent.many.items():
            if self._references.differs(record, name, ids):
                values[f"{name}Ids"] = self._rendering.value(record, record.entity_type.attributes[f"{name}Ids"])
        if values:
            raise conflict("modified", {"values": values, "versionNumber": current})

    def _refuse_duplicates(self, entity_type: EntityType, sent: Sent) -> None:
        found = duplicates_of(self.store.tables[entity_type.name], sent.values)
        if found:
            raise conflict("duplicate", [self._rendering.row(record, None) for record in found])

    def _run_formulas(self, user: EspoUser, record: Record, data: Mapping[str, Any]) -> None:
        for formula in self.formulas.get(record.entity_type.name, ()):
            formula(self, user, record, data)

    @staticmethod
    def _compute_name(values: dict[str, Any]) -> None:
        """Compose a person's name from its parts."""
        if "lastName" in values and not values.get("name"):
            values["name"] = " ".join(part for part in (values.get("firstName"), values["lastName"]) if part)


def _sent_fields(entity_type: EntityType, sent: Sent) -> set[str]:
    return {entity_type.attributes[name].field.name for name in sent.values} | set(sent.many)
