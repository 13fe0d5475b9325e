"""The whole state of a simulated xAI in memory; contents of files are on disk, see `blobs`."""

import msgspec

from bitbylaw.simulators.xai.model import Collection, Document, StoredFile

_Documents = dict[str, dict[str, Document]]


class Snapshot(msgspec.Struct, frozen=True):
    """A library as it is written to disk."""

    files: list[StoredFile]
    collections: list[Collection]
    documents: list[Document]
    uploads: list[StoredFile]


class Library:
    """Files by id, collections by id, documents by collection and file; every change raises `revision`.

    `uploads` are all files ever taken, deleted ones included: that is how a test finds a file uploaded twice.
    """

    def __init__(self) -> None:
        self.files: dict[str, StoredFile] = {}
        self.collections: dict[str, Collection] = {}
        self.uploads: list[StoredFile] = []
        self.revision = 0
        self._documents: _Documents = {}
        self._expiring: set[str] = set()

    def put_file(self, file: StoredFile) -> None:
        """Take a newly uploaded file."""
        self.files[file.id] = file
        self.uploads.append(file)
        if file.expires_at is not None:
            self._expiring.add(file.id)
        self.revision += 1

    def drop_file(self, file_id: str) -> None:
        """Forget a file; its documents are the caller's business."""
        del self.files[file_id]
        self._expiring.discard(file_id)
        self.revision += 1

    def expired(self, now: float) -> list[StoredFile]:
        """The files whose time is over."""
        dated = (self.files[file_id] for file_id in self._expiring)
        return [file for file in dated if file.expires_at is not None and file.expires_at <= now]

    def put_collection(self, collection: Collection) -> None:
        """Take a new collection or the new state of one."""
        self.collections[collection.id] = collection
        self._documents.setdefault(collection.id, {})
        self.revision += 1

    def drop_collection(self, collection_id: str) -> None:
        """Forget a collection and its documents; the files stay."""
        del self.collections[collection_id]
        del self._documents[collection_id]
        self.revision += 1

    def documents(self, collection_id: str) -> dict[str, Document]:
        """The documents of a collection by file id. Raises `KeyError` for an unknown collection."""
        return self._documents[collection_id]

    def put_document(self, document: Document) -> None:
        """Put a document into its collection, or replace it there."""
        self._documents[document.collection_id][document.file.id] = document
        self.revision += 1

    def drop_document(self, collection_id: str, file_id: str) -> None:
        """Take a file out of a collection."""
        del self._documents[collection_id][file_id]
        self.revision += 1

    def documents_of(self, file_id: str) -> list[Document]:
        """Every document of this file, one per collection that has it."""
        return [documents[file_id] for documents in self._documents.values() if file_id in documents]

    def snapshot(self) -> Snapshot:
        """The state as it is now."""
        documents = [document for of_one in self._documents.values() for document in of_one.values()]
        return Snapshot(list(self.files.values()), list(self.collections.values()), documents, list(self.uploads))

    @classmethod
    def restored(cls, snapshot: Snapshot) -> "Library":
        """Build the library a snapshot was taken of."""
        library = cls()
        for file in snapshot.files:
            library.put_file(file)
        library.uploads = list(snapshot.uploads)
        for collection in snapshot.collections:
            library.put_collection(collection)
        for document in snapshot.documents:
            library.put_document(document)
        return library
