"""Names of fields and enums against the protobuf descriptors of the vendor's SDK (reference, SDK)."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from xai_sdk.proto import collections_pb2, documents_pb2, files_pb2, types_pb2

from bitbylaw.simulators.xai import DocumentStatus
from bitbylaw.simulators.xai.bodies import (
    CollectionChange,
    FieldOperation,
    FieldUpdate,
    MetricSpace,
    NewCollection,
    NewDocument,
    Search,
    SearchSource,
)
from bitbylaw.simulators.xai.catalogue import COLLECTION_ORDER
from bitbylaw.simulators.xai.documents import DOCUMENT_ORDER
from bitbylaw.simulators.xai.model import FieldDefinition
from bitbylaw.simulators.xai.shelf import FILE_ORDER

from .caller import Caller

REST_ONLY_OF_FILE: Final = {"object", "bytes", "purpose"}
"""The REST file is like OpenAI's: `bytes` for `size`, `object`, `purpose` (reference, Files REST)."""
REST_ONLY_OF_DELETION: Final = {"object"}
REST_ONLY_OF_SEARCH: Final = {"filter"}
"""The SDK 1.21 has no filter in its search request yet; the REST page does (reference, Search)."""
REST_ONLY_OF_MATCH: Final = {"fields", "page_number"}
PATH_PARAMETERS: Final = {"collection_id", "file_id"}

MESSAGES: Final[Mapping[type, tuple[Any, set[str]]]] = {
    NewCollection: (collections_pb2.CreateCollectionRequest, set()),
    CollectionChange: (collections_pb2.UpdateCollectionRequest, set()),
    FieldDefinition: (collections_pb2.FieldDefinition, set()),
    FieldUpdate: (collections_pb2.FieldDefinitionUpdate, set()),
    NewDocument: (collections_pb2.AddDocumentToCollectionRequest, set()),
    Search: (documents_pb2.SearchRequest, REST_ONLY_OF_SEARCH),
    SearchSource: (documents_pb2.DocumentsSource, set()),
}


def names_of(message: Any) -> set[str]:
    """The field names of a protobuf message."""
    return {field.name for field in message.DESCRIPTOR.fields}


@pytest.mark.parametrize("body", MESSAGES, ids=lambda body: body.__name__)
def test_request_bodies_use_the_descriptors_names(body: Any) -> None:
    """Every field a request body takes is a field of the SDK's message, or a stated difference of REST."""
    message, rest_only = MESSAGES[body]
    assert set(body.__struct_fields__) - rest_only <= names_of(message)


async def test_file_has_the_descriptors_names(caller: Caller) -> None:
    """A file, a list of files and a deletion have only the SDK's fields, besides the stated ones of REST."""
    uploaded = (await caller.upload()).json
    listed = (await caller.get("/files")).json
    deleted = (await caller.call("DELETE", f"/files/{uploaded['id']}")).json
    assert set(uploaded) - REST_ONLY_OF_FILE <= names_of(files_pb2.File)
    assert set(listed) == names_of(files_pb2.ListFilesResponse)
    assert set(deleted) - REST_ONLY_OF_DELETION == names_of(files_pb2.DeleteFileResponse)


async def test_collection_has_exactly_the_descriptors_names(caller: Caller) -> None:
    """A collection has every field of the SDK's message and no other; so has the list."""
    await caller.new_collection(field_definitions=[{"key": "aktenzeichen"}])
    listed = (await caller.get("/collections")).json
    assert set(listed) == names_of(collections_pb2.ListCollectionsResponse)
    collection = listed["collections"][0]
    assert set(collection) == names_of(collections_pb2.CollectionMetadata)
    assert set(collection["field_definitions"][0]) == names_of(collections_pb2.FieldDefinition)
    assert set(collection["index_configuration"]) == names_of(types_pb2.IndexConfiguration)


async def test_document_has_the_descriptors_names(caller: Caller) -> None:
    """A document has only the SDK's fields, its file metadata exactly them; so have list and batch."""
    collection_id, file_id = await caller.new_document()
    document = (await caller.document(collection_id, file_id)).json
    listed = (await caller.get(f"/collections/{collection_id}/documents")).json
    batch = (await caller.get(f"/collections/{collection_id}/documents:batchGet", file_ids=file_id)).json
    assert set(document) <= names_of(collections_pb2.DocumentMetadata)
    assert set(document["file_metadata"]) == names_of(collections_pb2.FileMetadata)
    assert set(listed) == names_of(collections_pb2.ListDocumentsResponse)
    assert set(batch) == names_of(collections_pb2.BatchGetDocumentsResponse)
    assert listed["documents"] == batch["documents"] == [document]


async def test_search_match_has_the_descriptors_names(caller: Caller) -> None:
    """A match has every field of the SDK's message and the stated ones of REST."""
    collection_id, _file_id = await caller.new_document(content=b"Klage")
    caller.clock.advance(1)
    body = {"query": "klage", "source": {"collection_ids": [collection_id]}}
    answer = (await caller.call("POST", "/documents/search", json=body)).json
    assert set(answer) == names_of(documents_pb2.SearchResponse)
    assert set(answer["matches"][0]) == names_of(documents_pb2.SearchMatch) | REST_ONLY_OF_MATCH


def test_status_values_are_the_descriptors() -> None:
    """The document statuses are exactly the SDK's."""
    assert {status.value for status in DocumentStatus} == set(collections_pb2.DocumentStatus.keys())


def test_other_enum_values_are_the_descriptors() -> None:
    """Sort orders, metric spaces and field operations are exactly the SDK's."""
    assert set(COLLECTION_ORDER.sort_keys) == set(collections_pb2.CollectionsSortBy.keys())
    assert set(DOCUMENT_ORDER.sort_keys) == set(collections_pb2.DocumentsSortBy.keys())
    assert {metric.value for metric in MetricSpace} == set(types_pb2.HNSWMetric.keys())
    assert {operation.value for operation in FieldOperation} == set(collections_pb2.FieldDefinitionOperation.keys())


def test_rest_words_of_sorting_correspond_to_the_descriptors() -> None:
    """The Files host says `size` for FILES_SORT_BY_SIZE, both say ascending and descending in their own words."""
    of_files = {name.removeprefix("FILES_SORT_BY_").lower() for name in files_pb2.FilesSortBy.keys()}  # noqa: SIM118 - a protobuf enum is no mapping
    assert set(FILE_ORDER.sort_keys) == of_files
    orderings = set(files_pb2.Ordering.keys())
    assert {name.removeprefix("ORDERING_") for name in COLLECTION_ORDER.orders} == orderings
    assert {f"{name.upper()}ENDING" for name in FILE_ORDER.orders} == orderings
