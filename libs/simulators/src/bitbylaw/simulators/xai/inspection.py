"""What a test sees of the state: collections with their documents and where their indexing stands."""

import msgspec

from bitbylaw.simulators.xai.indexing import Indexing, indexing_of
from bitbylaw.simulators.xai.model import Collection, Document
from bitbylaw.simulators.xai.world import World


class DocumentView(msgspec.Struct, frozen=True):
    """A document and where its indexing stands now."""

    document: Document
    indexing: Indexing

    @property
    def file_id(self) -> str:
        """The id of its file."""
        return self.document.file.id

    @property
    def status(self) -> str:
        """The indexing's status, `DOCUMENT_STATUS_…`."""
        return self.indexing.status


class CollectionView(msgspec.Struct, frozen=True):
    """A collection with its documents by file id, dangling ones included."""

    collection: Collection
    documents: dict[str, DocumentView]

    @property
    def id(self) -> str:
        """Its id."""
        return self.collection.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.collection.name

    @property
    def sha256s(self) -> set[str]:
        """The contents it holds."""
        return {view.document.file.sha256 for view in self.documents.values()}


def collection_views(world: World) -> list[CollectionView]:
    """All collections, oldest first."""
    library = world.library
    return [
        CollectionView(collection, {file_id: _view(d, world) for file_id, d in library.documents(cid).items()})
        for cid, collection in library.collections.items()
    ]


def _view(document: Document, world: World) -> DocumentView:
    return DocumentView(document, indexing_of(document, world.config))
