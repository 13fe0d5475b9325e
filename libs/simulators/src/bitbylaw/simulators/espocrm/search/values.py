"""How values compare: like MariaDB does, with texts regardless of case and numbers written as texts."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bitbylaw.simulators.espocrm.clock import DATE_TIME
from bitbylaw.simulators.espocrm.errors import bad_request
from bitbylaw.simulators.espocrm.schema import STRING_TYPES, Attribute, FieldType, Role

Compare = Callable[[Any], Any]


def comparable(attribute: Attribute | None) -> Compare:
    """The function that makes stored and wanted values of an attribute comparable (None: the id)."""
    if attribute is None or attribute.role is not Role.VALUE:
        return _as_it_is
    kind = attribute.field.type
    if kind in {FieldType.INT, FieldType.FLOAT}:
        return _number
    if kind is FieldType.BOOL:
        return _truth
    return _folded if kind in STRING_TYPES else _as_it_is


def like(pattern: str) -> Callable[[str], bool]:
    """Match SQL's LIKE: `%` for anything, `_` for one character, regardless of case."""
    parts = re.split(r"([%_])", pattern)
    expression = "".join({"%": ".*", "_": "."}.get(part) or re.escape(part) for part in parts)
    compiled = re.compile(expression, re.IGNORECASE | re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


def in_utc(value: Any, time_zone: str) -> Any:
    """Convert the date and time of a condition from its `timeZone` to UTC. Raises `EspoError` 400 for unknown zones."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise bad_request("Bad time zone.") from error
    if isinstance(value, list):
        return [in_utc(item, time_zone) for item in value]
    try:
        moment = datetime.strptime(str(value), DATE_TIME).replace(tzinfo=zone)
    except ValueError:
        return value
    return moment.astimezone(UTC).strftime(DATE_TIME)


def _as_it_is(value: Any) -> Any:
    return value


def _folded(value: Any) -> Any:
    return None if value is None else str(value).casefold()


def _number(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _truth(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else str(value).lower() in {"1", "true"}
