"""Conditions: what a `where` item means for a record. Compiled once per list, then asked for each record."""

from collections.abc import Callable, Mapping
from typing import Any

from bitbylaw.simulators.espocrm.errors import bad_request
from bitbylaw.simulators.espocrm.relating import Relating
from bitbylaw.simulators.espocrm.schema import EntityType, LinkKind
from bitbylaw.simulators.espocrm.search.values import Compare, comparable, in_utc, like
from bitbylaw.simulators.espocrm.store import Record

Condition = Callable[[Record], bool]
Read = Callable[[Record], Any]
Build = Callable[[Read, Compare, Any], Condition]


def _equals(read: Read, compare: Compare, value: Any) -> Condition:
    wanted = compare(value)
    return lambda record: compare(read(record)) == wanted


def _differs(read: Read, compare: Compare, value: Any) -> Condition:
    # As in SQL a null is neither equal to nor different from anything.
    wanted = compare(value)
    return lambda record: (found := compare(read(record))) is not None and found != wanted


def _in(read: Read, compare: Compare, value: Any) -> Condition:
    wanted = {compare(item) for item in _list(value)}
    return lambda record: (found := compare(read(record))) is not None and found in wanted


def _not_in(read: Read, compare: Compare, value: Any) -> Condition:
    wanted = {compare(item) for item in _list(value)}
    return lambda record: (found := compare(read(record))) is not None and found not in wanted


def _ordered(test: Callable[[Any, Any], bool]) -> Build:
    def build(read: Read, compare: Compare, value: Any) -> Condition:
        bound = compare(value)
        return lambda record: (found := compare(read(record))) is not None and test(found, bound)

    return build


def _between(read: Read, compare: Compare, value: Any) -> Condition:
    bounds = _list(value)
    if len(bounds) != 2:  # noqa: PLR2004 - a lower and an upper one
        raise bad_request("Bad between value.")
    lower, upper = compare(bounds[0]), compare(bounds[1])
    return lambda record: (found := compare(read(record))) is not None and bool(lower <= found <= upper)


def _liked(before: str, after: str, *, wanted: bool = True) -> Build:
    def build(read: Read, _compare: Compare, value: Any) -> Condition:
        matches = like(f"{before}{value}{after}")
        return lambda record: (found := read(record)) is not None and matches(str(found)) is wanted

    return build


def _array(test: Callable[[set[str], set[str]], bool]) -> Build:
    def build(read: Read, _compare: Compare, value: Any) -> Condition:
        wanted = {str(item) for item in _list(value)}
        return lambda record: test({str(item) for item in read(record) or ()}, wanted)

    return build


def _fixed(test: Callable[[Any], bool]) -> Build:
    return lambda read, _compare, _value: lambda record: test(read(record))


_ATTRIBUTE_TYPES: dict[str, Build] = {
    "equals": _equals,
    "on": _equals,
    "notEquals": _differs,
    "notOn": _differs,
    "in": _in,
    "notIn": _not_in,
    "greaterThan": _ordered(lambda found, bound: found > bound),
    "lessThan": _ordered(lambda found, bound: found < bound),
    "greaterThanOrEquals": _ordered(lambda found, bound: found >= bound),
    "lessThanOrEquals": _ordered(lambda found, bound: found <= bound),
    "after": _ordered(lambda found, bound: found > bound),
    "before": _ordered(lambda found, bound: found < bound),
    "between": _between,
    "like": _liked("", ""),
    "notLike": _liked("", "", wanted=False),
    "contains": _liked("%", "%"),
    "notContains": _liked("%", "%", wanted=False),
    "startsWith": _liked("", "%"),
    "endsWith": _liked("%", ""),
    "ever": _fixed(lambda _found: True),
    "isNull": _fixed(lambda found: found is None),
    "isNotNull": _fixed(lambda found: found is not None),
    "isTrue": _fixed(lambda found: found is True),
    "isFalse": _fixed(lambda found: found is False),
    "arrayAnyOf": _array(lambda found, wanted: bool(found & wanted)),
    "arrayNoneOf": _array(lambda found, wanted: not found & wanted),
    "arrayAllOf": _array(lambda found, wanted: wanted <= found),
    "arrayIsEmpty": _fixed(lambda found: not found),
    "arrayIsNotEmpty": _fixed(bool),
}
_LINK_TYPES: dict[str, Callable[[set[str], set[str]], bool]] = {
    "linkedWith": lambda found, wanted: bool(found & wanted),
    "notLinkedWith": lambda found, wanted: not found & wanted,
    "linkedWithAll": lambda found, wanted: wanted <= found,
    "isLinked": lambda found, _wanted: bool(found),
    "isNotLinked": lambda found, _wanted: not found,
}


class WhereCompiler:
    """Turns the conditions of one entity type's list into one test."""

    def __init__(self, entity_type: EntityType, relating: Relating) -> None:
        self._entity_type = entity_type
        self._relating = relating

    def all_of(self, items: list[Any]) -> Condition | None:
        """Join conditions with AND; None when there is none. Raises `EspoError` 400 for what EspoCRM does not know."""
        tests = [self._one(item) for item in items]
        if not tests:
            return None
        if len(tests) == 1:
            return tests[0]
        return lambda record: all(test(record) for test in tests)

    def _one(self, item: Any) -> Condition:
        if not isinstance(item, Mapping) or not isinstance(item.get("type"), str):
            raise bad_request("Bad where item.")
        kind: str = item["type"]
        if kind in {"and", "or", "not"}:
            return self._group(kind, _list(item.get("value")))
        if kind in _LINK_TYPES:
            return self._link(kind, item)
        attribute = item.get("attribute", item.get("field"))
        if kind not in _ATTRIBUTE_TYPES:
            raise bad_request(f"Unknown where item type '{kind}'.")
        if attribute not in self._entity_type.attributes and attribute != "id":
            raise bad_request(f"Not existing attribute '{attribute}' in where.")
        return self._attribute(kind, str(attribute), item)

    def _group(self, kind: str, items: list[Any]) -> Condition:
        tests = [self._one(item) for item in items]
        if kind == "or":
            return lambda record: any(test(record) for test in tests)
        if kind == "not":
            return lambda record: not all(test(record) for test in tests)
        return lambda record: all(test(record) for test in tests)

    def _attribute(self, kind: str, name: str, item: Mapping[str, Any]) -> Condition:
        attribute = self._entity_type.attributes.get(name)
        value = item.get("value")
        if item.get("timeZone"):
            value = in_utc(value, str(item["timeZone"]))
        read: Read = lambda record: record.get(name)  # noqa: E731 - a reader as short as its name
        if kind == "equals" and isinstance(value, list):
            kind = "in"
        return _ATTRIBUTE_TYPES[kind](read, comparable(attribute), value)

    def _link(self, kind: str, item: Mapping[str, Any]) -> Condition:
        name = str(item.get("attribute", item.get("field")))
        link = self._entity_type.link_by_name.get(name)
        if link is None:
            raise bad_request(f"Not existing relation '{name}' in where.")
        value = item.get("value")
        wanted = {str(i) for i in (value if isinstance(value, list) else [value])}
        test = _LINK_TYPES[kind]
        if link.kind in {LinkKind.BELONGS_TO, LinkKind.BELONGS_TO_PARENT}:
            return lambda record: test({i} if (i := record.get(f"{name}Id")) is not None else set(), wanted)
        return lambda record: test({foreign.id for foreign in self._relating.related(record, link)}, wanted)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise bad_request("Bad where item value.")
    return value
