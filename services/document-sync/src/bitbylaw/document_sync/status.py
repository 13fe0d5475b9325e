"""Statuses that users see on a CDokumente, and what they mean to us."""

from enum import StrEnum


class FileStatus(StrEnum):
    """`fileStatus`: what happened to the file in EspoCRM since it was last read."""

    NEW = "new"
    CHANGED = "changed"
    SYNCED = "synced"


class XaiSyncStatus(StrEnum):
    """`xaiSyncStatus`: where the document stands in xAI."""

    NO_SYNC = "no_sync"
    PENDING_SYNC = "pending_sync"
    CLEAN = "clean"
    UNCLEAN = "unclean"
    FAILED = "failed"


class Processing(StrEnum):
    """How far xAI is with a file in one collection."""

    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"
    ABSENT = "absent"
