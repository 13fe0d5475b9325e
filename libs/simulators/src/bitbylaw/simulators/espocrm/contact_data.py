"""`emailAddressData` and `phoneNumberData`: the lists behind `emailAddress` and `phoneNumber` (sample 02)."""

from typing import Any

_DATA = {"emailAddress": "emailAddressData", "phoneNumber": "phoneNumberData"}
DATA_ATTRIBUTES = frozenset(_DATA.values())


def with_contact_data(values: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Return the values with field and list agreeing: the primary entry of the list is the field's value."""
    agreed = dict(values)
    for field, data in _DATA.items():
        if data in values:
            entries = [_completed(field, entry) for entry in values[data] or ()]
            agreed[data] = entries
            agreed[field] = next((entry[field] for entry in entries if entry["primary"]), None)
        elif field in values:
            agreed[data] = _with_primary(field, values[field], old.get(data) or [])
    return agreed


def _with_primary(field: str, value: str | None, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    others = [entry for entry in entries if not entry["primary"] and entry[field] != value]
    return others if not value else [_completed(field, {field: value, "primary": True}), *others]


def _completed(field: str, entry: dict[str, Any]) -> dict[str, Any]:
    value = str(entry.get(field, ""))
    second = {"lower": value.lower()} if field == "emailAddress" else {"type": entry.get("type", "Mobile")}
    flags = {name: bool(entry.get(name, False)) for name in ("primary", "optOut", "invalid")}
    return {field: value, **second, **flags}
