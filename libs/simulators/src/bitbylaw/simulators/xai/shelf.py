"""What xAI does with files: take, find, list, delete."""

import secrets

import msgspec

from bitbylaw.simulators.xai.blobs import BlobStore, TooLarge
from bitbylaw.simulators.xai.config import UsedFileDeletion, XaiConfig
from bitbylaw.simulators.xai.errors import bad_request, no_such_file, too_large
from bitbylaw.simulators.xai.filter_fields import FieldKind, Record, predicate
from bitbylaw.simulators.xai.library import Library
from bitbylaw.simulators.xai.model import StoredFile
from bitbylaw.simulators.xai.paging import ListOrder, Page, PageRequest, page_of
from bitbylaw.simulators.xai.upload import FileFormReader

FILE_FILTER = {
    "name": FieldKind.FUZZY,
    "file_id": FieldKind.EXACT,
    "size_bytes": FieldKind.NUMBER,
    "content_type": FieldKind.EXACT,
    "created_at": FieldKind.MOMENT,
    "expires_at": FieldKind.MOMENT,
    "upload_status": FieldKind.EXACT,
    "user_defined_id": FieldKind.EXACT,
}
FILE_ORDER: ListOrder[StoredFile] = ListOrder(
    identify=lambda file: file.id,
    sort_keys={
        "created_at": lambda file: file.created_at,
        "filename": lambda file: file.filename,
        "size": lambda file: file.size,
    },
    orders={"asc": False, "desc": True},
    default_sort=None,
    default_descending=True,
)
UPLOADED = "complete"


class FileShelf:
    """All files of the account."""

    def __init__(self, library: Library, blobs: BlobStore) -> None:
        self._library = library
        self._blobs = blobs

    async def take(self, reader: FileFormReader, config: XaiConfig) -> StoredFile:
        """Store an upload as it streams in. Raises `XaiError`: 400 for a form that is wrong, 413 for a long file."""
        part = await reader.until_file()
        file_id = f"file-{secrets.token_hex(16)}"
        try:
            written = await self._blobs.write(file_id, part.chunks(), config.max_file_size)
        except TooLarge as error:
            raise too_large(config.max_file_size) from error
        await reader.rest()
        now, life = config.clock(), reader.form.expires_after
        file = StoredFile(
            id=file_id,
            filename=part.filename,
            size=written.size,
            sha256=written.sha256,
            content_type=part.content_type,
            created_at=now,
            purpose=reader.form.purpose if config.keeps_purpose else "",
            expires_at=now + life if life is not None else None,
        )
        self._library.put_file(file)
        return file

    def find(self, file_id: str) -> StoredFile:
        """The file of this id. Raises `XaiError` (404)."""
        if file_id not in self._library.files:
            raise no_such_file(file_id)
        return self._library.files[file_id]

    def page(self, request: PageRequest, filter_text: str) -> Page[StoredFile]:
        """The files a list request asks for. Raises `XaiError` (400)."""
        fits = predicate(filter_text, FILE_FILTER)
        found = (file for file in self._library.files.values() if fits(file_record(file)))
        return page_of(found, FILE_ORDER, request)

    def delete(self, file_id: str, rule: UsedFileDeletion) -> None:
        """Delete a file, and its documents as the rule says. Raises `XaiError`: 404, or 400 when the rule refuses."""
        file = self.find(file_id)
        documents = self._library.documents_of(file_id)
        if documents and rule is UsedFileDeletion.REFUSED:
            raise bad_request(f"File {file_id} is part of {len(documents)} collection(s).")
        for document in documents:
            if rule is UsedFileDeletion.LEAVES_DOCUMENTS:
                self._library.put_document(msgspec.structs.replace(document, file_deleted=True))
            else:
                self._library.drop_document(document.collection_id, file_id)
        self._library.drop_file(file.id)
        self._blobs.remove(file.id)

    def drop_expired(self, now: float) -> None:
        """Delete the files whose `expires_at` has passed, with their documents."""
        for file in self._library.expired(now):
            self.delete(file.id, UsedFileDeletion.REMOVES_DOCUMENTS)


def file_record(file: StoredFile) -> Record:
    """What a filter sees of a file."""
    return {
        "name": file.filename,
        "file_id": file.id,
        "size_bytes": file.size,
        "content_type": file.content_type,
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "upload_status": UPLOADED,
    }
