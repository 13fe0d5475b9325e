"""The gateway's own description, `GET /openapi.json`, made from the routes' data."""

from bitbylaw.common.events import Kind
from bitbylaw.gateway.webhooks import LINK_ACTIONS, WEBHOOK_ACTIONS

_ANSWERS = {
    "200": "Everything usable is stored; `rejected` lists the elements that are not",
    "400": "The body is no JSON array or object; it must not be sent again",
    "401": "Signature or key is missing or wrong",
    "408": "The body did not arrive in time",
    "413": "The body is too large",
    "503": "Nothing may be taken for stored; send it again",
}


def openapi() -> dict[str, object]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, object] = {}
    for kind in Kind:
        for action in WEBHOOK_ACTIONS:
            paths[f"/vmh/webhook/{kind}/{action}"] = {"post": _operation(f"{kind}_{action}", [])}
    for action in LINK_ACTIONS:
        owner: dict[str, object] = {"name": "entityType", "in": "query", "schema": {"type": "string"}}
        paths[f"/vmh/webhook/entity/{action}"] = {"post": _operation(f"entity_{action}", [owner])}
    return {
        "openapi": "3.1.0",
        "info": {"title": "BitByLaw gateway", "version": "0.1.0"},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "signature": {"type": "apiKey", "in": "header", "name": "Signature"},
                "legacySignature": {"type": "apiKey", "in": "header", "name": "X-Signature"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            }
        },
    }


def _operation(name: str, parameters: list[dict[str, object]]) -> dict[str, object]:
    element = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    return {
        "operationId": name,
        "parameters": parameters,
        "security": [{"signature": []}, {"legacySignature": []}, {"apiKey": []}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"oneOf": [{"type": "array", "items": element}, element]}}},
        },
        "responses": {
            status: {"description": text, "content": {"application/json": {"schema": {"type": "object"}}}}
            for status, text in _ANSWERS.items()
        },
    }
