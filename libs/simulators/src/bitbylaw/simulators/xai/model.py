"""What xAI keeps: files, collections, and the documents that say which file is in which collection."""

from typing import Any

import msgspec


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded file; `size` in bytes, times in seconds since 1970, `sha256` of the content in hex."""

    id: str
    filename: str
    size: int
    sha256: str
    content_type: str
    created_at: float
    purpose: str = ""
    expires_at: float | None = None


class FieldDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A metadata field of a collection's documents (reference, Collections REST)."""

    key: str
    required: bool = False
    inject_into_chunk: bool = False
    unique: bool = False
    description: str = ""


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection without its documents; the configurations are kept as they were sent."""

    id: str
    name: str
    created_at: float
    description: str = ""
    field_definitions: tuple[FieldDefinition, ...] = ()
    index_configuration: dict[str, Any] | None = None
    chunk_configuration: dict[str, Any] | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A file in a collection. `file` is kept here too: the document may outlive it (setting `used_file_deletion`)."""

    collection_id: str
    file: StoredFile
    added_at: float
    indexing_since: float
    fields: dict[str, str] = {}
    file_deleted: bool = False
