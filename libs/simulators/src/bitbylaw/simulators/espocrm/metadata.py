"""`GET Metadata`: the schema as EspoCRM describes it to its clients (sample 09)."""

from typing import Any

from bitbylaw.simulators.espocrm.schema import EntityType, Field, FieldType, Link, Schema

_MISSING = object()


def metadata(schema: Schema) -> dict[str, Any]:
    """The metadata of the entity types: `entityDefs` and `scopes`."""
    return {
        "entityDefs": {entity_type.name: _definition(entity_type) for entity_type in schema.entity_types},
        "scopes": {entity_type.name: _scope(entity_type) for entity_type in schema.entity_types},
    }


def at_key(tree: dict[str, Any], key: str) -> Any | None:
    """The part of the metadata at a dotted key; None for an unknown one, which EspoCRM answers with an empty body."""
    place: Any = tree
    for part in key.split("."):
        place = place.get(part, _MISSING) if isinstance(place, dict) else _MISSING
        if place is _MISSING:
            return None
    return place


def _definition(entity_type: EntityType) -> dict[str, Any]:
    fields = [field for field in entity_type.fields if field.type is not FieldType.LOADED and not field.hidden]
    return {
        "fields": {field.name: _field(field) for field in fields if field.name != "deleted"},
        "links": {link.name: _link(link) for link in entity_type.links},
        "collection": {"orderBy": "createdAt", "order": "desc"},
        "optimisticConcurrencyControl": entity_type.versioned,
    }


def _field(field: Field) -> dict[str, Any]:
    described: dict[str, Any] = {"type": field.type.value}
    if field.required:
        described["required"] = True
    if field.options:
        described["options"] = list(field.options)
    if field.max_length is not None:
        described["maxLength"] = field.max_length
    if field.default is not None:
        described["default"] = field.default
    if field.read_only:
        described["readOnly"] = True
    return described


def _link(link: Link) -> dict[str, Any]:
    parts = {
        "type": "hasMany" if link.relation else link.kind.value,
        "entity": link.entity_type,
        "foreign": link.foreign,
        "relationName": link.relation,
    }
    return {name: value for name, value in parts.items() if value is not None}


def _scope(entity_type: EntityType) -> dict[str, Any]:
    return {
        "entity": True,
        "object": entity_type.is_object,
        "acl": True,
        "stream": entity_type.stream,
        "isCustom": entity_type.name.startswith("C") and entity_type.name != "Contact",
    }
