"""Start of document-sync: `python -m bitbylaw.document_sync`."""

import sys

from bitbylaw.common.service.process import main
from bitbylaw.document_sync.app import serve
from bitbylaw.document_sync.settings import read

if __name__ == "__main__":
    sys.exit(main("document-sync", read, serve))
