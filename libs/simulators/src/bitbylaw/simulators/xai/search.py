"""Searching documents: by words alone, enough to see that what was put in can be found again."""

import re
from pathlib import Path

import msgspec

from bitbylaw.simulators.xai.blobs import BlobStore
from bitbylaw.simulators.xai.bodies import Search
from bitbylaw.simulators.xai.config import XaiConfig
from bitbylaw.simulators.xai.documents import DOCUMENT_FILTER, Documents, document_record
from bitbylaw.simulators.xai.errors import bad_request
from bitbylaw.simulators.xai.filter_fields import predicate
from bitbylaw.simulators.xai.indexing import DocumentStatus, indexing_of
from bitbylaw.simulators.xai.model import Document

_SEARCHED_BYTES = 1024 * 1024
_EXCERPT = 400
_WORD = re.compile(r"\w{2,}")


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A document that holds words of the query; `score` is the share of them, `excerpt` the text around the first."""

    document: Document
    score: float
    excerpt: str


class Searcher:
    """Looks into the contents of processed documents: names, and what reads as UTF-8."""

    def __init__(self, documents: Documents, blobs: BlobStore) -> None:
        self._documents = documents
        self._blobs = blobs

    def matches(self, search: Search, config: XaiConfig) -> list[Match]:
        """The best matches first. Raises `XaiError`: 400 for an empty query or no source, 404 for the collection."""
        words = set(_WORD.findall(search.query.casefold()))
        if not words or not search.source.collection_ids:
            raise bad_request("query and source.collection_ids are required.")
        fits = predicate(search.filter, DOCUMENT_FILTER)
        found = [
            match
            for document in self._processed(search.source.collection_ids, config)
            if fits(document_record(document, config)) and (match := self._match(document, words)) is not None
        ]
        return sorted(found, key=lambda match: -match.score)[: search.limit]

    def _processed(self, collection_ids: tuple[str, ...], config: XaiConfig) -> list[Document]:
        every = (document for cid in collection_ids for document in self._documents.visible(cid, config))
        return [document for document in every if indexing_of(document, config).status == DocumentStatus.PROCESSED]

    def _match(self, document: Document, words: set[str]) -> Match | None:
        text = f"{document.file.filename}\n{_text(self._blobs.path(document.file.id))}"
        folded = text.casefold()
        places = [place for word in words if (place := folded.find(word)) >= 0]
        if not places:
            return None
        start = max(0, min(places) - _EXCERPT // 2)
        excerpt = text[start : start + _EXCERPT]
        return Match(document=document, score=len(places) / len(words), excerpt=excerpt)


def _text(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return file.read(_SEARCHED_BYTES).decode(errors="ignore")
