"""Whatever xAI does where its documentation is silent, the result is the same."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.support.documents import Firm, running

from bitbylaw.simulators.faults import FaultKind, FaultRule
from bitbylaw.simulators.xai.config import (
    DanglingDocument,
    NonEmptyCollectionDeletion,
    RepeatedAdd,
    RetryAfter,
    UndefinedField,
    UnknownInBatch,
    UsedFileDeletion,
)
from bitbylaw.simulators.xai.indexing import ALL_STAGES

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEFAULTS: dict[str, Any] = {
    "repeated_add": RepeatedAdd.ACCEPTED,
    "used_file_deletion": UsedFileDeletion.REMOVES_DOCUMENTS,
    "dangling_document": DanglingDocument.UNCHANGED,
    "non_empty_collection_deletion": NonEmptyCollectionDeletion.ALLOWED,
    "unknown_in_batch": UnknownInBatch.OMITTED,
    "undefined_field": UndefinedField.ACCEPTED,
    "token_on_last_page": True,
    "keeps_purpose": True,
    "stages": (),
    "files_rate": None,
    "management_rate": None,
    "retry_after": RetryAfter.NONE,
}
SETTINGS: list[dict[str, Any]] = [
    *({"repeated_add": value} for value in RepeatedAdd),
    *(
        {"used_file_deletion": deletion, "dangling_document": dangling}
        for deletion in UsedFileDeletion
        for dangling in DanglingDocument
        if deletion is UsedFileDeletion.LEAVES_DOCUMENTS or dangling is DanglingDocument.UNCHANGED
    ),
    {"non_empty_collection_deletion": NonEmptyCollectionDeletion.REFUSED},
    {"unknown_in_batch": UnknownInBatch.NOT_FOUND},
    {"undefined_field": UndefinedField.REFUSED},
    {"token_on_last_page": False, "keeps_purpose": False},
    {"stages": (*ALL_STAGES, "DOCUMENT_STATUS_NEVER_HEARD_OF")},
    *({"files_rate": 5.0, "management_rate": 20.0, "retry_after": value} for value in RetryAfter),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def firm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    """A firm with one worker."""
    async with running(tmp_path_factory.mktemp("firm")) as firm, firm.worker():
        yield firm


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: " ".join(f"{k}={v}" for k, v in settings.items()))
async def test_create_replace_delete_end_right(firm: Firm, settings: dict[str, Any]) -> None:
    """Create, replace and delete end right under each setting; what is added twice is so by a lost answer."""
    firm.xai.reconfigure(**DEFAULTS | settings)
    firm.xai.faults.clear()
    if "repeated_add" in settings:
        firm.xai.faults.add(FaultRule(kind=FaultKind.CUT_AFTER, method="POST", path="/documents/", count=1))
    documents = [firm.document(f"{number}".encode(), firm.owner()) for number in range(3)]
    await firm.settle()
    firm.right(*documents)
    for document in documents[1:]:
        firm.replace(document, f"anders {document}".encode())
    await firm.settle()
    firm.espo.delete("CDokumente", documents[1])
    await firm.settle()
    firm.right(*documents)
    assert not await firm.dead_letters()


@pytest.mark.parametrize("dangling", list(DanglingDocument))
@pytest.mark.parametrize("deletion", [UsedFileDeletion.REMOVES_DOCUMENTS, UsedFileDeletion.LEAVES_DOCUMENTS])
async def test_file_deleted_behind_our_back_is_back_when_forced(
    firm: Firm, deletion: UsedFileDeletion, dangling: DanglingDocument
) -> None:
    """A file that somebody deleted in xAI is uploaded again by a forced comparison, and no document dangles."""
    firm.xai.reconfigure(**DEFAULTS | {"used_file_deletion": deletion, "dangling_document": dangling})
    klage = firm.owner()
    document = firm.document(b"wichtig", klage)
    await firm.settle()
    (file,) = firm.files(document)
    firm.xai._world.shelf.delete(file.id, deletion)
    await firm.nats_pub("vmh.document.sync_check", f'{{"entity_id":"{document}","force":true}}'.encode())
    await firm.settle()
    firm.right(document)
    (collection,) = [c for c in firm.xai.collections if c.id in firm.collections(klage)]
    living = {
        file_id for file_id in collection.documents if file_id != file.id or dangling is not DanglingDocument.HIDDEN
    }
    assert living == {firm.files(document)[0].id}
