"""`GET OpenApi`: a small description in the shape of EspoCRM's own, which is 1.7 MB (sample 09)."""

from typing import Any

from bitbylaw.simulators.espocrm.schema import Schema


def openapi(schema: Schema) -> dict[str, Any]:
    """Describe creating and listing each entity type, `Account` first as EspoCRM does."""
    names = sorted(schema.by_name)
    return {
        "openapi": "3.1.1",
        "info": {"title": "EspoCRM API", "version": "1.0.0"},
        "paths": {f"/{name}": {"post": _create(name), "get": _list(name)} for name in names},
        "components": {"schemas": {f"{name}_create": {"type": "object"} for name in names}},
    }


def _create(name: str) -> dict[str, Any]:
    return {
        "tags": [name],
        "requestBody": {"content": _json({"$ref": f"#/components/schemas/{name}_create"})},
        "parameters": [
            {
                "in": "header",
                "name": "X-Skip-Duplicate-Check",
                "schema": {"type": "string", "enum": ["true", "false"]},
                "description": "Skip duplicate check.",
            },
            {
                "in": "header",
                "name": "X-Duplicate-Source-Id",
                "schema": {"type": "string"},
                "description": "A record ID of the entity that is being duplicated.",
            },
        ],
        "summary": f"Create {name}",
        "description": f"Create a new {name} record.",
        "responses": {"200": {"description": "Success", "content": _json({"type": "object"})}},
    }


def _list(name: str) -> dict[str, Any]:
    return {
        "tags": [name],
        "summary": f"List {name}",
        "responses": {"200": {"description": "Success", "content": _json({"type": "object"})}},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
