"""The rules of fields: which values EspoCRM refuses with 400 and how it calls the offence (sample 06)."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from bitbylaw.simulators.espocrm.clock import DATE_TIME
from bitbylaw.simulators.espocrm.coercion import Sent
from bitbylaw.simulators.espocrm.errors import invalid_field
from bitbylaw.simulators.espocrm.schema import ARRAY_TYPES, STRING_TYPES, EntityType, Field, FieldType

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"[+0-9()/\-. ]{1,36}")
_DATE_LENGTH = 10
_PYTHON_TYPES: dict[FieldType, type | tuple[type, ...]] = {
    FieldType.INT: int,
    FieldType.FLOAT: (int, float),
    FieldType.BOOL: bool,
    FieldType.JSON_OBJECT: dict,
    FieldType.LINK: str,
    FieldType.FILE: str,
    FieldType.LINK_PARENT: str,
    FieldType.DATE: str,
    FieldType.DATE_TIME: str,
}


def check_required(entity_type: EntityType, values: Mapping[str, Any], *, only_sent: bool) -> None:
    """Refuse a create without a required field, or an update (`only_sent`) that empties one."""
    for field in entity_type.fields:
        if field.required and not (only_sent and field.name not in values) and values.get(field.name) in {None, ""}:
            raise invalid_field(entity_type.name, field.name, "required")


def check_values(entity_type: EntityType, sent: Sent) -> None:
    """Refuse the first value that breaks its field's rules: `valid`, `maxLength`, `emailAddress`."""
    for name, value in sent.values.items():
        field = entity_type.attributes[name].field
        offence = None if value is None and field.type is not FieldType.ENUM else _offence(field, value)
        if offence is not None:
            raise invalid_field(entity_type.name, field.name, offence)
    for name, ids in sent.many.items():
        if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
            raise invalid_field(entity_type.name, name, "valid")


def _offence(field: Field, value: Any) -> str | None:
    if field.type in STRING_TYPES:
        return _text_offence(field, value)
    if field.type is FieldType.ENUM:
        known = "" if value is None else value
        unset_is_fine = value is None and field.default is None
        return None if unset_is_fine or known in field.options else "valid"
    if field.type in ARRAY_TYPES:
        return _array_offence(field, value)
    return None if _is_of_type(field.type, value) else "valid"


def _text_offence(field: Field, value: Any) -> str | None:
    if not isinstance(value, str):
        return "valid"
    if field.max_length is not None and len(value) > field.max_length:
        return "maxLength"
    if field.type is FieldType.EMAIL and value and not _EMAIL.fullmatch(value):
        return "emailAddress"
    if field.type is FieldType.PHONE and value and not _PHONE.fullmatch(value):
        return "valid"
    return None


def _array_offence(field: Field, value: Any) -> str | None:
    if not isinstance(value, list):
        return "valid"
    if field.type is FieldType.JSON_ARRAY:
        return None
    if not all(isinstance(item, str) for item in value):
        return "valid"
    return "valid" if field.options and not set(value) <= set(field.options) else None


def _is_of_type(kind: FieldType, value: Any) -> bool:
    python_type = _PYTHON_TYPES.get(kind, object)
    if not isinstance(value, python_type) or (isinstance(value, bool) and kind in {FieldType.INT, FieldType.FLOAT}):
        return False
    if kind is FieldType.DATE:
        return _is_date(str(value))
    return kind is not FieldType.DATE_TIME or _is_date_time(str(value))


def _is_date(text: str) -> bool:
    with suppress(ValueError):
        return len(text) == _DATE_LENGTH and bool(date.fromisoformat(text))
    return False


def _is_date_time(text: str) -> bool:
    with suppress(ValueError):
        return bool(datetime.strptime(text, DATE_TIME))  # noqa: DTZ007 - only the form is checked
    return False
