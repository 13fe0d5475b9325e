"""The JSON bodies of requests (reference, Collections REST); camelCase is taken as well as snake_case."""

import enum
import re
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from bitbylaw.simulators.xai.errors import bad_request, unprocessable, unsupported_media_type
from bitbylaw.simulators.xai.model import FieldDefinition

_MAX_BODY = 1024 * 1024
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_VERBATIM = {"fields"}
"""Their keys are data, not names."""
Body = TypeVar("Body")


class FieldOperation(enum.StrEnum):
    """What an update does with a field definition."""

    ADD = "FIELD_DEFINITION_ADD"
    DELETE = "FIELD_DEFINITION_DELETE"


class FieldUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a collection's field definitions."""

    field_definition: FieldDefinition
    operation: FieldOperation = FieldOperation.ADD


class MetricSpace(enum.StrEnum):
    """How similarity is measured; xAI does not give it back."""

    UNKNOWN = "HNSW_METRIC_UNKNOWN"
    COSINE = "HNSW_METRIC_COSINE"
    EUCLIDEAN = "HNSW_METRIC_EUCLIDEAN"
    INNER_PRODUCT = "HNSW_METRIC_INNER_PRODUCT"


class NewCollection(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /collections`. There is no metadata map: what is not listed here is ignored."""

    collection_name: str = ""
    team_id: str | None = None
    collection_description: str = ""
    index_configuration: dict[str, Any] | None = None
    chunk_configuration: dict[str, Any] | None = None
    metric_space: MetricSpace = MetricSpace.UNKNOWN
    field_definitions: tuple[FieldDefinition, ...] = ()


class CollectionChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `PUT /collections/{id}`; None leaves a value as it is."""

    team_id: str | None = None
    collection_name: str | None = None
    collection_description: str | None = None
    chunk_configuration: dict[str, Any] | None = None
    field_definition_updates: tuple[FieldUpdate, ...] = ()


class NewDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /collections/{id}/documents/{file_id}`; may be missing altogether."""

    team_id: str | None = None
    fields: dict[str, str] = {}


class SearchSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where to search."""

    collection_ids: tuple[str, ...] = ()


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /documents/search`; the retrieval mode and the instructions change nothing here."""

    query: str = ""
    source: SearchSource = SearchSource()
    filter: str = ""
    limit: int = 10


async def read_body(request: web.Request, kind: type[Body]) -> Body:
    """Read a body. Raises `XaiError`: 415 for another type than JSON, 400 for no JSON, 422 for a wrong field."""
    raw = await request.content.read(_MAX_BODY) if request.can_read_body else b""
    if raw and request.content_type != "application/json":
        raise unsupported_media_type("Content-Type must be application/json.")
    try:
        return msgspec.convert(_snake_case(msgspec.json.decode(raw or b"{}")), kind)
    except msgspec.ValidationError as error:
        raise unprocessable(str(error)) from error
    except msgspec.DecodeError as error:
        raise bad_request(f"Invalid JSON: {error}") from error


def _snake_case(value: Any) -> Any:
    if isinstance(value, list):
        return [_snake_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_HUMP.sub(r"_\1", k).lower(): v if k in _VERBATIM else _snake_case(v) for k, v in value.items()}
