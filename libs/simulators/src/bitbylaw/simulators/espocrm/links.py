"""The link endpoints `{Entity}/{id}/{link}`: linking, unlinking, listing; they fire no core webhook (reference 2)."""

from collections.abc import Mapping
from typing import Any

from bitbylaw.simulators.espocrm.errors import EspoError, forbidden, not_found
from bitbylaw.simulators.espocrm.records import RecordService
from bitbylaw.simulators.espocrm.relating import Pair, Relating
from bitbylaw.simulators.espocrm.schema import EntityType, Link, LinkKind
from bitbylaw.simulators.espocrm.store import Record
from bitbylaw.simulators.espocrm.users import Action, EspoUser
from bitbylaw.simulators.espocrm.webhooks.events import SaveEvents

_LINKABLE = frozenset({LinkKind.MANY_MANY, LinkKind.HAS_MANY, LinkKind.HAS_CHILDREN})


class LinkService:
    """Links records for callers; changes neither side's modifiedAt nor versionNumber."""

    def __init__(self, records: RecordService, relating: Relating, events: SaveEvents) -> None:
        self._records = records
        self._relating = relating
        self._events = events

    def link(self, user: EspoUser, name: str, record_id: str, link_name: str, data: Mapping[str, Any]) -> bool:
        """Link the records named by `id` or `ids`; False when none is named. Raises `EspoError` 403, 404."""
        return self._each(user, name, record_id, link_name, data, adding=True)

    def unlink(self, user: EspoUser, name: str, record_id: str, link_name: str, data: Mapping[str, Any]) -> bool:
        """Unlink the records named by `id` or `ids`, linked or not; False when none is named."""
        return self._each(user, name, record_id, link_name, data, adding=False)

    def related(self, user: EspoUser, name: str, record_id: str, link_name: str) -> tuple[EntityType, list[Record]]:
        """The type and the records at the other end, for a list. Raises `EspoError` 403, 404."""
        record = self._records.read(user, name, record_id)
        link = _link(record, link_name)
        if link.entity_type is None:
            raise forbidden("Not supported link.")
        if not user.may(link.entity_type, Action.READ):
            raise forbidden("No read access.")
        return self._records.entity_type(link.entity_type), self._relating.related(record, link)

    def _each(
        self, user: EspoUser, name: str, record_id: str, link_name: str, data: Mapping[str, Any], *, adding: bool
    ) -> bool:
        record = self._records.find(user, name, record_id, Action.EDIT)
        link = _link(record, link_name)
        if link.kind not in _LINKABLE:
            raise forbidden("Only manyMany, hasMany & hasChildren relations are allowed.")
        foreign_ids = _ids(data)
        for foreign_id in foreign_ids:
            self._one(user, record, link, foreign_id, adding=adding)
        return bool(foreign_ids)

    def _one(self, user: EspoUser, record: Record, link: Link, foreign_id: str, *, adding: bool) -> None:
        foreign_type = link.entity_type or ""
        foreign = self._records.store.tables[foreign_type].find(foreign_id)
        if foreign is None:
            raise not_found("")
        if not user.may(foreign_type, Action.READ):
            raise EspoError(403, "No foreign record access for link operation.")
        changed = (self._relating.link if adding else self._relating.unlink)(record, link, foreign)
        pairs = [Pair(record.id, link.name, foreign_type, foreign_id)] if changed else []
        self._events.related(user, record, pairs if adding else [], [] if adding else pairs)


def _link(record: Record, name: str) -> Link:
    link = record.entity_type.link_by_name.get(name)
    if link is None:
        raise not_found(f"Entity {record.entity_type.name} does not have link {name}.")
    return link


def _ids(data: Mapping[str, Any]) -> list[str]:
    if isinstance(data.get("ids"), list):
        return [str(i) for i in data["ids"]]
    return [str(data["id"])] if data.get("id") else []
