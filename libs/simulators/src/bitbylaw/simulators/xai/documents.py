"""What xAI does with the documents of a collection: add, find, list, index again, remove."""

from collections.abc import Iterable

import msgspec

from bitbylaw.simulators.xai.bodies import NewDocument
from bitbylaw.simulators.xai.catalogue import ORDERINGS, Catalogue
from bitbylaw.simulators.xai.config import DanglingDocument, RepeatedAdd, UndefinedField, UnknownInBatch, XaiConfig
from bitbylaw.simulators.xai.errors import bad_request, conflict, no_such_document
from bitbylaw.simulators.xai.filter_fields import FieldKind, Record, predicate
from bitbylaw.simulators.xai.indexing import indexing_of
from bitbylaw.simulators.xai.library import Library
from bitbylaw.simulators.xai.model import Collection, Document
from bitbylaw.simulators.xai.paging import ListOrder, Page, PageRequest, page_of
from bitbylaw.simulators.xai.shelf import FileShelf, file_record

DOCUMENT_FILTER = {
    "name": FieldKind.FUZZY,
    "file_id": FieldKind.EXACT,
    "status": FieldKind.EXACT,
    "size_bytes": FieldKind.NUMBER,
    "content_type": FieldKind.EXACT,
    "created_at": FieldKind.MOMENT,
    "fields.": FieldKind.EXACT,
}
DOCUMENT_ORDER: ListOrder[Document] = ListOrder(
    identify=lambda document: document.file.id,
    sort_keys={
        "DOCUMENTS_SORT_BY_NAME": lambda document: document.file.filename,
        "DOCUMENTS_SORT_BY_SIZE": lambda document: document.file.size,
        "DOCUMENTS_SORT_BY_AGE": lambda document: document.added_at,
    },
    orders=ORDERINGS,
    default_sort="DOCUMENTS_SORT_BY_NAME",
    default_descending=True,
)


class Documents:
    """The documents of all collections."""

    def __init__(self, library: Library, shelf: FileShelf, catalogue: Catalogue) -> None:
        self._library = library
        self._shelf = shelf
        self._catalogue = catalogue

    def add(self, collection_id: str, file_id: str, body: NewDocument, config: XaiConfig) -> None:
        """Put a file into a collection and begin to index it.

        Raises `XaiError`: 404 for an unknown file or collection, 409 or 400 for a repetition (setting
        `repeated_add`), 400 for fields that do not fit the collection.
        """
        collection, file = self._catalogue.find(collection_id), self._shelf.find(file_id)
        if file_id in self._library.documents(collection_id):
            _refuse_repetition(file_id, config.repeated_add)
            return
        self._check_fields(collection, body.fields, config.undefined_field)
        now = config.clock()
        self._library.put_document(
            Document(collection_id=collection_id, file=file, fields=body.fields, added_at=now, indexing_since=now)
        )

    def find(self, collection_id: str, file_id: str, config: XaiConfig) -> Document:
        """The document of this file in this collection. Raises `XaiError` (404)."""
        self._catalogue.find(collection_id)
        document = self._library.documents(collection_id).get(file_id)
        if document is None or not _visible(document, config):
            raise no_such_document(collection_id, file_id)
        return document

    def find_all(self, collection_id: str, file_ids: Iterable[str], config: XaiConfig) -> list[Document]:
        """The documents of these files. Raises `XaiError` (404), for unknown files as `unknown_in_batch` says."""
        known = {document.file.id: document for document in self.visible(collection_id, config)}
        wanted = list(file_ids)
        missing = [file_id for file_id in wanted if file_id not in known]
        if missing and config.unknown_in_batch is UnknownInBatch.NOT_FOUND:
            raise no_such_document(collection_id, missing[0])
        return [known[file_id] for file_id in wanted if file_id in known]

    def page(self, collection_id: str, request: PageRequest, filter_text: str, config: XaiConfig) -> Page[Document]:
        """The documents a list request asks for. Raises `XaiError`: 404, 400."""
        fits = predicate(filter_text, DOCUMENT_FILTER)
        found = (d for d in self.visible(collection_id, config) if fits(document_record(d, config)))
        return page_of(found, DOCUMENT_ORDER, request)

    def visible(self, collection_id: str, config: XaiConfig) -> list[Document]:
        """The documents a caller can see. Raises `XaiError` (404) for an unknown collection."""
        self._catalogue.find(collection_id)
        return [d for d in self._library.documents(collection_id).values() if _visible(d, config)]

    def index_again(self, collection_id: str, file_id: str, config: XaiConfig) -> None:
        """Begin the indexing anew. Raises `XaiError` (404)."""
        document = self.find(collection_id, file_id, config)
        self._library.put_document(msgspec.structs.replace(document, indexing_since=config.clock()))

    def remove(self, collection_id: str, file_id: str, config: XaiConfig) -> None:
        """Take a file out of a collection; the file stays. Raises `XaiError` (404)."""
        self.find(collection_id, file_id, config)
        self._library.drop_document(collection_id, file_id)

    def _check_fields(self, collection: Collection, fields: dict[str, str], rule: UndefinedField) -> None:
        defined = {definition.key: definition for definition in collection.field_definitions}
        missing = [key for key, definition in defined.items() if definition.required and key not in fields]
        if missing:
            raise bad_request(f"Required field {missing[0]} is missing.")
        undefined = [key for key in fields if key not in defined]
        if undefined and rule is UndefinedField.REFUSED:
            raise bad_request(f"Field {undefined[0]} is not defined for the collection.")
        for key in (key for key, definition in defined.items() if definition.unique and key in fields):
            if any(d.fields.get(key) == fields[key] for d in self._library.documents(collection.id).values()):
                raise bad_request(f"Field {key} must be unique.")


def document_record(document: Document, config: XaiConfig) -> Record:
    """What a filter sees of a document."""
    fields = {f"fields.{key}": value for key, value in document.fields.items()}
    return {**file_record(document.file), **fields, "status": indexing_of(document, config).status}


def _refuse_repetition(file_id: str, rule: RepeatedAdd) -> None:
    text = f"File {file_id} is already part of the collection."
    if rule is RepeatedAdd.CONFLICT:
        raise conflict(text)
    if rule is RepeatedAdd.BAD_REQUEST:
        raise bad_request(text)


def _visible(document: Document, config: XaiConfig) -> bool:
    return not (document.file_deleted and config.dangling_document is DanglingDocument.HIDDEN)
