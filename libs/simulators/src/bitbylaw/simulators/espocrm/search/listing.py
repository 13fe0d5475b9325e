"""Lists: which records, in which order, which part of them. Uses the time indexes where it can."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from bitbylaw.simulators.espocrm.relating import Relating
from bitbylaw.simulators.espocrm.schema import EntityType, Role
from bitbylaw.simulators.espocrm.search.params import ListQuery
from bitbylaw.simulators.espocrm.search.values import in_utc, like
from bitbylaw.simulators.espocrm.search.where import Condition, WhereCompiler
from bitbylaw.simulators.espocrm.store import TIME_INDEXES, Record, Store, Table

NO_MORE = -2
MORE = -1
_LOWER = frozenset({"greaterThan", "greaterThanOrEquals", "after"})
_UPPER = frozenset({"lessThan", "lessThanOrEquals", "before"})
TEXT_FILTER_FIELDS = ("name",)


class Page(msgspec.Struct, frozen=True):
    """A part of a list and its total: -1 and -2 for "more" and "no more" when the total was not wanted."""

    total: int
    records: list[Record]


class Listing:
    """Finds the records of lists."""

    def __init__(self, store: Store, relating: Relating) -> None:
        self._store = store
        self._relating = relating

    def page(
        self,
        entity_type: EntityType,
        query: ListQuery,
        *,
        among: list[Record] | None = None,
        visible: Condition | None = None,
        no_total: bool = False,
    ) -> Page:
        """The part of the list a query asks for, of all records or `among` these, those `visible` to the caller.

        Raises `EspoError` 400 for conditions EspoCRM does not know.
        """
        test = self._test(entity_type, query, visible)
        found = self._in_order(entity_type, query, among)
        matching = found if test is None else (record for record in found if test(record))
        if no_total:
            part = list(islice(matching, query.offset, query.offset + query.max_size + 1))
            return Page(total=MORE if len(part) > query.max_size else NO_MORE, records=part[: query.max_size])
        return _counted(matching, query)

    def _test(self, entity_type: EntityType, query: ListQuery, visible: Condition | None) -> Condition | None:
        tests = [WhereCompiler(entity_type, self._relating).all_of(query.where), visible]
        if query.text_filter:
            tests.append(_text_filter(entity_type, query.text_filter))
        given = [test for test in tests if test is not None]
        if not given:
            return None
        return given[0] if len(given) == 1 else lambda record: all(test(record) for test in given)

    def _in_order(self, entity_type: EntityType, query: ListQuery, among: list[Record] | None) -> Iterable[Record]:
        table = self._store.tables[entity_type.name]
        if among is not None:
            return self._sorted(among, query)
        bounds = _time_bounds(query.where)
        if bounds is None and query.order_by in TIME_INDEXES:
            return _along(table, query.order_by, descending=query.descending)
        if bounds is None:
            return self._sorted(table.living(), query)
        attribute, lower, upper = bounds
        narrowed = table.between(attribute, lower, upper)
        if attribute == query.order_by and not query.descending:
            return narrowed
        return self._sorted(narrowed, query)

    def _sorted(self, records: Iterable[Record], query: ListQuery) -> list[Record]:
        """Sort, nulls first as in MariaDB, and by id where the values are equal."""
        return sorted(records, key=lambda record: _sort_key(self._value(record, query.order_by), record.id),
                      reverse=query.descending)  # fmt: skip

    def _value(self, record: Record, name: str) -> Any:
        attribute = record.entity_type.attributes.get(name)
        if attribute is None or attribute.role is not Role.LINK_NAME:
            return record.get(name)
        return self._store.name_of(attribute.field.foreign, record.get(f"{attribute.field.name}Id"))


def _counted(matching: Iterable[Record], query: ListQuery) -> Page:
    iterator = iter(matching)
    skipped = sum(1 for _ in islice(iterator, query.offset))
    part = list(islice(iterator, query.max_size))
    return Page(total=skipped + len(part) + sum(1 for _ in iterator), records=part)


def _along(table: Table, attribute: str, *, descending: bool) -> Iterator[Record]:
    index = table.by_time[attribute]
    return (table.records[entry[1]] for entry in (reversed(index) if descending else index))


def _sort_key(value: Any, record_id: str) -> tuple[bool, str, Any, str]:
    folded = value.casefold() if isinstance(value, str) else value
    return (value is not None, type(folded).__name__, folded if value is not None else "", record_id)


def _time_bounds(where: list[Any]) -> tuple[str, str | None, str | None] | None:
    """The bounds the conditions set to one of the indexed times, for narrowing; each condition is still tested."""
    for name in reversed(TIME_INDEXES):
        lower: str | None = None
        upper: str | None = None
        for item in where:
            if not isinstance(item, Mapping) or item.get("attribute") != name or not isinstance(item.get("value"), str):
                continue
            value = in_utc(item["value"], str(item["timeZone"])) if item.get("timeZone") else item["value"]
            if item.get("type") in _LOWER:
                lower = max(lower or "", value)
            elif item.get("type") in _UPPER:
                upper = min(upper or value, value)
        if lower is not None or upper is not None:
            return name, lower, upper
    return None


def _text_filter(entity_type: EntityType, text: str) -> Condition:
    """Match the beginning of a name, `*` standing for anything (sample 04.14)."""
    fields = [name for name in TEXT_FILTER_FIELDS if name in entity_type.attributes]
    matches = like(text.replace("*", "%") if "*" in text else f"{text}%")
    return lambda record: any(matches(str(record.get(name) or "")) for name in fields)
