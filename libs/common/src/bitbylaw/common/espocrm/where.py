"""Conditions for EspoCRM's lists. Source: E/Core/Select/Where/Item/Type.php (reference espocrm.md, section 3).

Date-times are texts `YYYY-MM-DD HH:MM:SS` in UTC.
"""

from collections.abc import Sequence

import msgspec


class Where(msgspec.Struct, frozen=True, omit_defaults=True):
    """One condition as it stands in `searchParams`. Made by the functions below."""

    type: str
    attribute: str | None = None
    value: object = None


def equals(attribute: str, value: object) -> Where:
    """The attribute has this value."""
    return Where("equals", attribute, value)


def not_equals(attribute: str, value: object) -> Where:
    """The attribute has another value."""
    return Where("notEquals", attribute, value)


def is_in(attribute: str, values: Sequence[object]) -> Where:
    """The attribute has one of these values."""
    return Where("in", attribute, list(values))


def is_null(attribute: str) -> Where:
    """The attribute has no value."""
    return Where("isNull", attribute)


def is_not_null(attribute: str) -> Where:
    """The attribute has a value."""
    return Where("isNotNull", attribute)


def greater_than(attribute: str, value: object) -> Where:
    """The attribute's value is greater (numbers), later (date-times) or behind (ids)."""
    return Where("greaterThan", attribute, value)


def at_least(attribute: str, value: object) -> Where:
    """The attribute's value is this or more."""
    return Where("greaterThanOrEquals", attribute, value)


def less_than(attribute: str, value: object) -> Where:
    """The attribute's value is less or earlier."""
    return Where("lessThan", attribute, value)


def linked_with(link: str, *ids: str) -> Where:
    """One of these records is linked."""
    return Where("linkedWith", link, list(ids))


def and_(*conditions: Where) -> Where:
    """All of the conditions hold."""
    return Where("and", value=list(conditions))


def or_(*conditions: Where) -> Where:
    """At least one of the conditions holds."""
    return Where("or", value=list(conditions))
