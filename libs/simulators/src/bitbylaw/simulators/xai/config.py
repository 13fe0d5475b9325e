"""Everything about a simulated xAI that a test or a person may want to decide.

What the reference marks [U] (unknown) is a setting here with every answer xAI might give, so that the product can be
shown not to depend on any of them.
"""

import enum
from pathlib import Path

import msgspec

from bitbylaw.simulators.xai.clock import Clock, system_clock

MIB = 1024 * 1024


class RepeatedAdd(enum.StrEnum):
    """What adding a file to a collection that already has it does [U]."""

    ACCEPTED = "accepted"
    """200, and nothing changes."""
    CONFLICT = "conflict"
    """409."""
    BAD_REQUEST = "bad_request"
    """400."""


class UsedFileDeletion(enum.StrEnum):
    """What deleting a file does that is still in collections [U]."""

    REMOVES_DOCUMENTS = "removes_documents"
    """200, and the documents are gone with it."""
    REFUSED = "refused"
    """400."""
    LEAVES_DOCUMENTS = "leaves_documents"
    """200, and the documents dangle: see `DanglingDocument`."""


class DanglingDocument(enum.StrEnum):
    """How a document looks whose file has been deleted [U]."""

    UNCHANGED = "unchanged"
    """Like before."""
    FAILED = "failed"
    """Status FAILED with an error message."""
    HIDDEN = "hidden"
    """404, and in no list; the collection still counts it."""


class NonEmptyCollectionDeletion(enum.StrEnum):
    """What deleting a collection does that still has documents [U]."""

    ALLOWED = "allowed"
    """{}; the files stay."""
    REFUSED = "refused"
    """400."""


class UnknownInBatch(enum.StrEnum):
    """What `documents:batchGet` does with ids the collection does not have [U]."""

    OMITTED = "omitted"
    """They are left out of the answer."""
    NOT_FOUND = "not_found"
    """404 for the whole request."""


class UndefinedField(enum.StrEnum):
    """What adding a document does with a `fields` key the collection does not define [U]."""

    ACCEPTED = "accepted"
    """The value is kept."""
    REFUSED = "refused"
    """400."""


class RetryAfter(enum.StrEnum):
    """What header a 429 carries [U]."""

    NONE = "none"
    SECONDS = "seconds"
    HTTP_DATE = "http_date"


class Permission(enum.StrEnum):
    """What a management key may do (reference, Hosts and keys)."""

    COLLECTIONS_ENDPOINT = "collections_endpoint"
    """The whole management host."""
    ADD_FILE_TO_COLLECTION = "add_file_to_collection"
    """Adding documents on top of that."""


class XaiConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of one simulated xAI; sizes in bytes, times in seconds, rates in requests per second.

    `processing_time` passes between adding a document and its being processed; `stages` are the statuses it goes
    through on the way, in equal shares of that time (any text, so that an unheard-of status can be tried).
    `failing_names` maps name patterns (`*.exe`) to the error message documents of such names fail with.
    `permissions` are the management key's. `blocked_keys` get 403 everywhere. `keeps_purpose` False answers `""` as
    purpose whatever was sent. `token_on_last_page` is for the management host, the Files host always sends a token.
    `state_dir` keeps files and collections across restarts; without it they are in a temporary directory.
    """

    api_key: str = "xai-simulator-api-key"
    management_key: str = "xai-simulator-management-key"
    permissions: frozenset[Permission] = frozenset(Permission)
    blocked_keys: frozenset[str] = frozenset()

    max_file_size: int = 50 * MIB
    keeps_purpose: bool = True
    processing_time: float = 0.3
    stages: tuple[str, ...] = ()
    failing_names: dict[str, str] = {}

    repeated_add: RepeatedAdd = RepeatedAdd.ACCEPTED
    used_file_deletion: UsedFileDeletion = UsedFileDeletion.REMOVES_DOCUMENTS
    dangling_document: DanglingDocument = DanglingDocument.UNCHANGED
    non_empty_collection_deletion: NonEmptyCollectionDeletion = NonEmptyCollectionDeletion.ALLOWED
    unknown_in_batch: UnknownInBatch = UnknownInBatch.OMITTED
    undefined_field: UndefinedField = UndefinedField.ACCEPTED
    token_on_last_page: bool = True

    files_rate: float | None = None
    management_rate: float | None = None
    retry_after: RetryAfter = RetryAfter.NONE

    clock: Clock = system_clock
    state_dir: Path | None = None
    snapshot_interval: float = 0.5
