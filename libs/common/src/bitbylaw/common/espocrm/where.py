"""Conditions of EspoCRM's searches (`where` items; reference espocrm.md, 3)."""

from collections.abc import Sequence

Where = dict[str, object]


def equals(attribute: str, value: object) -> Where:
    """The attribute has this value."""
    return {"type": "equals", "attribute": attribute, "value": value}


def is_in(attribute: str, values: Sequence[object]) -> Where:
    """The attribute has one of these values."""
    return {"type": "in", "attribute": attribute, "value": list(values)}


def is_null(attribute: str) -> Where:
    """The attribute is empty."""
    return {"type": "isNull", "attribute": attribute}


def at_or_after(attribute: str, value: str) -> Where:
    """The attribute is this or more; date-times as `YYYY-MM-DD HH:MM:SS`, UTC."""
    return {"type": "greaterThanOrEquals", "attribute": attribute, "value": value}


def linked_with(link: str, entity_id: str) -> Where:
    """The link leads to this record."""
    return {"type": "linkedWith", "attribute": link, "value": [entity_id]}


def any_of(*conditions: Where) -> Where:
    """One of the conditions holds."""
    return {"type": "or", "value": list(conditions)}
