"""What xAI does with collections: create, find, list, change, delete."""

import uuid

import msgspec

from bitbylaw.simulators.xai.bodies import CollectionChange, FieldOperation, FieldUpdate, NewCollection
from bitbylaw.simulators.xai.config import NonEmptyCollectionDeletion, XaiConfig
from bitbylaw.simulators.xai.errors import bad_request, no_such_collection
from bitbylaw.simulators.xai.filter_fields import FieldKind, Record, predicate
from bitbylaw.simulators.xai.library import Library
from bitbylaw.simulators.xai.model import Collection, FieldDefinition
from bitbylaw.simulators.xai.paging import ListOrder, Page, PageRequest, page_of

COLLECTION_FILTER = {
    "collection_id": FieldKind.EXACT,
    "collection_name": FieldKind.FUZZY,
    "created_at": FieldKind.MOMENT,
    "documents_count": FieldKind.NUMBER,
}
ORDERINGS = {"ORDERING_ASCENDING": False, "ORDERING_DESCENDING": True}
COLLECTION_ORDER: ListOrder[Collection] = ListOrder(
    identify=lambda collection: collection.id,
    sort_keys={
        "COLLECTIONS_SORT_BY_NAME": lambda collection: collection.name,
        "COLLECTIONS_SORT_BY_AGE": lambda collection: collection.created_at,
    },
    orders=ORDERINGS,
    default_sort="COLLECTIONS_SORT_BY_NAME",
    default_descending=True,
)


class Catalogue:
    """All collections of the account."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def create(self, body: NewCollection, config: XaiConfig) -> Collection:
        """Make a collection; names need not be unique. Raises `XaiError` (400) without a name."""
        if not body.collection_name:
            raise bad_request("collection_name is required.")
        collection = Collection(
            id=f"collection_{uuid.uuid4()}",
            name=body.collection_name,
            created_at=config.clock(),
            description=body.collection_description,
            field_definitions=body.field_definitions,
            index_configuration=body.index_configuration,
            chunk_configuration=body.chunk_configuration,
        )
        self._library.put_collection(collection)
        return collection

    def find(self, collection_id: str) -> Collection:
        """The collection of this id. Raises `XaiError` (404)."""
        if collection_id not in self._library.collections:
            raise no_such_collection(collection_id)
        return self._library.collections[collection_id]

    def page(self, request: PageRequest, filter_text: str) -> Page[Collection]:
        """The collections a list request asks for. Raises `XaiError` (400)."""
        fits = predicate(filter_text, COLLECTION_FILTER)
        found = (collection for collection in self._library.collections.values() if fits(self._record(collection)))
        return page_of(found, COLLECTION_ORDER, request)

    def change(self, collection_id: str, body: CollectionChange) -> Collection:
        """Change what the body names. Raises `XaiError`: 404, or 400 for a new field that is required."""
        old = self.find(collection_id)
        definitions = {definition.key: definition for definition in old.field_definitions}
        for update in body.field_definition_updates:
            self._change_field(old, definitions, update)
        new = msgspec.structs.replace(
            old,
            name=old.name if body.collection_name is None else body.collection_name,
            description=old.description if body.collection_description is None else body.collection_description,
            chunk_configuration=body.chunk_configuration or old.chunk_configuration,
            field_definitions=tuple(definitions.values()),
        )
        self._library.put_collection(new)
        return new

    def delete(self, collection_id: str, rule: NonEmptyCollectionDeletion) -> None:
        """Delete a collection; the files stay. Raises `XaiError`: 404, or 400 when it has documents and may not."""
        self.find(collection_id)
        if rule is NonEmptyCollectionDeletion.REFUSED and self._library.documents(collection_id):
            raise bad_request(f"Collection {collection_id} is not empty.")
        self._library.drop_collection(collection_id)

    def _change_field(
        self, collection: Collection, definitions: dict[str, FieldDefinition], update: FieldUpdate
    ) -> None:
        key = update.field_definition.key
        if update.operation is FieldOperation.DELETE:
            definitions.pop(key, None)
            self._drop_values(collection.id, key)
        elif update.field_definition.required:
            raise bad_request(f"New field {key} must not be required.")
        else:
            definitions[key] = update.field_definition

    def _drop_values(self, collection_id: str, key: str) -> None:
        for document in list(self._library.documents(collection_id).values()):
            kept = {name: value for name, value in document.fields.items() if name != key}
            self._library.put_document(msgspec.structs.replace(document, fields=kept))

    def _record(self, collection: Collection) -> Record:
        return {
            "collection_id": collection.id,
            "collection_name": collection.name,
            "created_at": collection.created_at,
            "documents_count": len(self._library.documents(collection.id)),
        }
