"""A stateful xAI: files, collections, documents and search, with the faults and open questions of the real one."""

from bitbylaw.simulators.xai.clock import Clock, ManualClock
from bitbylaw.simulators.xai.config import (
    DanglingDocument,
    NonEmptyCollectionDeletion,
    Permission,
    RepeatedAdd,
    RetryAfter,
    UndefinedField,
    UnknownInBatch,
    UsedFileDeletion,
    XaiConfig,
)
from bitbylaw.simulators.xai.indexing import ALL_STAGES, DocumentStatus
from bitbylaw.simulators.xai.inspection import CollectionView, DocumentView
from bitbylaw.simulators.xai.model import Collection, Document, FieldDefinition, StoredFile
from bitbylaw.simulators.xai.simulator import XaiSimulator

__all__ = [
    "ALL_STAGES",
    "Clock",
    "Collection",
    "CollectionView",
    "DanglingDocument",
    "Document",
    "DocumentStatus",
    "DocumentView",
    "FieldDefinition",
    "ManualClock",
    "NonEmptyCollectionDeletion",
    "Permission",
    "RepeatedAdd",
    "RetryAfter",
    "StoredFile",
    "UndefinedField",
    "UnknownInBatch",
    "UsedFileDeletion",
    "XaiConfig",
    "XaiSimulator",
]
