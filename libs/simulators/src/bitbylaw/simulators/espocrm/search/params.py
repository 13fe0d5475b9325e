"""The parameters of a list: bracketed in the query string, or one JSON in `searchParams` (reference 3, sample 04)."""

import json
from typing import Any

import msgspec

from bitbylaw.simulators.espocrm.errors import bad_request, forbidden
from bitbylaw.simulators.espocrm.schema import EntityType

DEFAULT_ORDER = "createdAt"


class ListQuery(msgspec.Struct, frozen=True):
    """What a list is asked for; `where` holds the raw conditions, `order_by` an attribute."""

    where: list[Any]
    select: list[str] | None
    order_by: str
    descending: bool
    offset: int
    max_size: int
    text_filter: str | None


def list_query(entity_type: EntityType, query: dict[str, Any], limit: int) -> ListQuery:
    """Read the parameters. Raises `EspoError` 400, and 403 when more than `limit` records are wanted."""
    given = _search_params(query["searchParams"]) if "searchParams" in query else query
    select = given.get("select", given.get("attributeSelect"))
    order_by = given.get("orderBy")
    return ListQuery(
        where=_conditions(given),
        select=_names(select),
        order_by=_attribute(entity_type, order_by) if order_by else _default_order(entity_type),
        descending=str(given.get("order", "asc" if order_by else "desc")).lower() in {"desc", "true"},
        offset=_number(given.get("offset"), 0),
        max_size=_size(given.get("maxSize"), limit),
        text_filter=given.get("textFilter") or given.get("q") or None,
    )


def _search_params(text: Any) -> dict[str, Any]:
    try:
        params = json.loads(text)
    except (TypeError, ValueError) as error:
        raise bad_request("Invalid search params JSON.") from error
    if not isinstance(params, dict):
        raise bad_request("Invalid search params JSON.")
    for name in ("where", "select"):
        if name in params and not isinstance(params[name], list):
            raise bad_request(f"{name} should be array.")
    return params


def _conditions(given: dict[str, Any]) -> list[Any]:
    where = given.get("where", given.get("whereGroup"))
    # In a query string a condition that is no array is ignored without a word: all records come back (sample 04.13).
    return where if isinstance(where, list) else []


def _names(select: Any) -> list[str] | None:
    if isinstance(select, str):
        return [name.strip() for name in select.split(",")]
    return [str(name) for name in select] if isinstance(select, list) else None


def _default_order(entity_type: EntityType) -> str:
    return DEFAULT_ORDER if DEFAULT_ORDER in entity_type.attributes else "id"


def _attribute(entity_type: EntityType, name: str) -> str:
    """The attribute a field is ordered by; a link is ordered by its name."""
    for candidate in (name, f"{name}Name"):
        if candidate in entity_type.attributes or candidate == "id":
            return candidate
    raise bad_request(f"Order by non-existing field '{name}'.")


def _number(value: Any, otherwise: int) -> int:
    try:
        return max(0, int(value)) if value is not None else otherwise
    except (TypeError, ValueError) as error:
        raise bad_request("Bad number.") from error


def _size(value: Any, limit: int) -> int:
    size = _number(value, limit)
    if size > limit:
        raise forbidden(f"Max size should not exceed {limit}. Use offset and limit.")
    return size
