"""One simulated xAI without its HTTP: the state, what is done with it, and the configuration in force."""

from pathlib import Path
from typing import Any

import msgspec

from bitbylaw.simulators.xai import persistence
from bitbylaw.simulators.xai.blobs import BlobStore
from bitbylaw.simulators.xai.catalogue import Catalogue
from bitbylaw.simulators.xai.config import XaiConfig
from bitbylaw.simulators.xai.documents import Documents
from bitbylaw.simulators.xai.search import Searcher
from bitbylaw.simulators.xai.shelf import FileShelf


class World:
    """Everything the routes work on; `directory` holds the contents and, if wanted, the snapshot."""

    def __init__(self, config: XaiConfig, directory: Path) -> None:
        self.config = config
        self.library = persistence.load(directory)
        self.blobs = BlobStore(directory / "blobs")
        self.blobs.keep_only(self.library.files)
        self.shelf = FileShelf(self.library, self.blobs)
        self.catalogue = Catalogue(self.library)
        self.documents = Documents(self.library, self.shelf, self.catalogue)
        self.searcher = Searcher(self.documents, self.blobs)

    def reconfigure(self, **changes: Any) -> None:
        """Change settings for the requests to come. Raises `TypeError` for a setting that does not exist."""
        self.config = msgspec.structs.replace(self.config, **changes)
