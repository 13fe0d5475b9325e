"""The JSON xAI answers with: names and forms of the fields (reference, Files REST and Collections REST)."""

from collections.abc import Sequence
from typing import Any

from bitbylaw.simulators.xai.clock import rfc3339
from bitbylaw.simulators.xai.config import XaiConfig
from bitbylaw.simulators.xai.indexing import indexing_of
from bitbylaw.simulators.xai.model import Collection, Document, StoredFile
from bitbylaw.simulators.xai.search import Match
from bitbylaw.simulators.xai.shelf import UPLOADED

Json = dict[str, Any]


def file_json(file: StoredFile) -> Json:
    """A file as the Files host shows it: like OpenAI's, numbers as numbers, times in unix seconds."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created_at),
        "expires_at": None if file.expires_at is None else int(file.expires_at),
        "filename": file.filename,
        "purpose": file.purpose,
        "public_url": None,
        "public_url_expires_at": None,
    }


def deleted_file_json(file_id: str) -> Json:
    """The answer to deleting a file."""
    return {"id": file_id, "object": "file", "deleted": True}


def collection_json(collection: Collection, documents: Sequence[Document]) -> Json:
    """A collection as the management host shows it: like grpc-gateway, int64 as text, times RFC 3339."""
    return {
        "collection_id": collection.id,
        "collection_name": collection.name,
        "created_at": rfc3339(collection.created_at),
        "index_configuration": collection.index_configuration or {"model_name": "grok-embedding-small"},
        "chunk_configuration": collection.chunk_configuration,
        "documents_count": len(documents),
        "field_definitions": list(collection.field_definitions),
        "collection_description": collection.description,
        "total_file_size": str(sum(document.file.size for document in documents)),
    }


def document_json(document: Document, config: XaiConfig) -> Json:
    """A document as the management host shows it."""
    indexing = indexing_of(document, config)
    indexed_at = indexing.last_indexed_at
    return {
        "file_metadata": _file_metadata(document.file, indexing.processing_status),
        "fields": document.fields,
        "status": indexing.status,
        "error_message": indexing.error_message,
        "last_indexed_at": None if indexed_at is None else rfc3339(indexed_at),
    }


def match_json(match: Match) -> Json:
    """One match of a search."""
    document = match.document
    return {
        "file_id": document.file.id,
        "chunk_id": f"{document.file.id}-0",
        "chunk_content": match.excerpt,
        "score": match.score,
        "collection_ids": [document.collection_id],
        "fields": document.fields,
        "page_number": 1,
    }


def _file_metadata(file: StoredFile, processing_status: str) -> Json:
    return {
        "file_id": file.id,
        "name": file.filename,
        "size_bytes": str(file.size),
        "content_type": file.content_type,
        "created_at": rfc3339(file.created_at),
        "expires_at": None if file.expires_at is None else rfc3339(file.expires_at),
        "hash": file.sha256,
        "upload_status": UPLOADED,
        "upload_error_message": "",
        "processing_status": processing_status,
        "file_path": "",
    }
