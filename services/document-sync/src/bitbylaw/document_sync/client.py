"""xAI as this service needs it: files on one host, collections on another, each with a key of its own."""

from bitbylaw.common.http.client import UpstreamClient
from bitbylaw.document_sync.xai_collections import XaiCollections
from bitbylaw.document_sync.xai_dialect import XaiDialect
from bitbylaw.document_sync.xai_files import XaiFiles
from bitbylaw.document_sync.xai_model import Collection, CollectionDocument, DocumentStatus, XaiFile

__all__ = ["Collection", "CollectionDocument", "DocumentStatus", "XaiClient", "XaiFile"]


class XaiClient(XaiFiles, XaiCollections):
    """Both halves of xAI. The base URLs end in `/v1`, the headers of each client hold its Bearer key."""

    def __init__(self, files: UpstreamClient, management: UpstreamClient) -> None:
        XaiFiles.__init__(self, files)
        XaiCollections.__init__(self, management)
        for upstream in (files, management):
            upstream.speaks(XaiDialect())
