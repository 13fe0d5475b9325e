"""Attachments: uploading, who may read them, and what becomes of them when records change (reference 5)."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from bitbylaw.simulators.espocrm.blobs import BlobStore
from bitbylaw.simulators.espocrm.coercion import Sent
from bitbylaw.simulators.espocrm.errors import EspoError, bad_request, forbidden
from bitbylaw.simulators.espocrm.rules import EntityRules
from bitbylaw.simulators.espocrm.schema import Field
from bitbylaw.simulators.espocrm.store import Record, Store
from bitbylaw.simulators.espocrm.users import Action, EspoUser

_ENVELOPE = ";base64,"


def decode_data_url(text: str) -> bytes:
    """The content of `data:<mime>;base64,…`. Raises `EspoError` 400 for anything else (sample 05.7)."""
    head, found, encoded = text.partition(_ENVELOPE)
    if not found or not head.startswith("data:"):
        raise bad_request("Bad file contents.")
    try:
        return b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise bad_request("Bad file contents.") from error


class AttachmentKeeper:
    """Ties attachments to the records that show them."""

    def __init__(self, store: Store, blobs: BlobStore) -> None:
        self._store = store
        self._table = store.tables["Attachment"]
        self._blobs = blobs

    def replace_file(self, record: Record, old_id: str | None, new_id: str | None) -> None:
        """Put a file in the place of another; the old attachment is deleted with its content (sample 05.16)."""
        if old_id is not None and old_id != new_id:
            self.delete(old_id)
        new = self._table.find(new_id or "")
        if new is not None:
            self._store.change(new, {"relatedId": record.id, "relatedType": record.entity_type.name})

    def replace_many(self, record: Record, field: Field, ids: list[str]) -> None:
        """Make these the attachments of a field; those left out are deleted."""
        kind = record.entity_type.name
        for old in self._store.children("Attachment", "parentId", record.id):
            if old.get("parentType") == kind and old.get("field") == field.name and old.id not in ids:
                self.delete(old.id)
        for new_id in ids:
            new = self._table.find(new_id)
            if new is not None and new.get("parentId") != record.id:
                self._store.change(new, {"parentId": record.id, "parentType": kind, "field": field.name})

    def delete(self, attachment_id: str) -> None:
        """Delete an attachment and its content."""
        attachment = self._table.find(attachment_id)
        if attachment is not None:
            self._store.set_deleted(attachment, deleted=True)
            self._blobs.remove(attachment_id)


class AttachmentRules(EntityRules):
    """Uploads, and reading by those who may read the record an attachment belongs to."""

    def __init__(self, store: Store, blobs: BlobStore) -> None:
        self._store = store
        self._blobs = blobs
        # A create runs in one go, so what its check has decoded is still here when the record exists.
        self._decoded: bytes | None = None

    def prepare_create(self, user: EspoUser, data: Mapping[str, Any], sent: Sent) -> None:
        """Check where the file is for, and what is in it."""
        del user
        if not sent.values.get("field") or not (sent.values.get("relatedType") or sent.values.get("parentType")):
            raise bad_request("No `field` and `parentType`.")
        sent.values.pop("parentId", None)
        sent.values.pop("relatedId", None)
        self._decoded = None
        if not sent.values.get("isBeingUploaded"):
            file = data.get("file")
            self._decoded = decode_data_url(file) if isinstance(file, str) else b""
            sent.values["size"] = len(self._decoded)

    def after_save(self, user: EspoUser, record: Record, data: Mapping[str, Any], *, is_new: bool) -> None:
        """Keep the content under the new record's id."""
        del user, data
        if is_new and self._decoded is not None:
            self._blobs.put(record.id, self._decoded)
        self._decoded = None

    def after_delete(self, user: EspoUser, record: Record) -> None:
        """Forget the content."""
        del user
        self._blobs.remove(record.id)

    def may(self, user: EspoUser, record: Record, action: Action) -> bool:
        """Who may read the record an attachment belongs to may read it; without one only its uploader."""
        owner = self._owner(record)
        if user.is_admin or record.get("createdById") == user.id:
            return True
        return owner is not None and user.may(owner.entity_type.name, action)

    def add_chunk(self, user: EspoUser, attachment: Record, content: bytes) -> None:
        """Add a chunk to a file that is being uploaded; the last one completes it. Raises `EspoError` 403, 400."""
        if attachment.get("createdById") != user.id:
            raise forbidden("Not own attachment.")
        if not attachment.get("isBeingUploaded"):
            raise forbidden("Attachment is not being-uploaded.")
        size = self._blobs.append(attachment.id, content)
        expected = attachment.get("size") or 0
        if size > expected:
            raise EspoError(400, "Chunk exceeds the file size.")
        if size == expected:
            self._store.change(attachment, {"isBeingUploaded": False})

    def _owner(self, attachment: Record) -> Record | None:
        for prefix in ("parent", "related"):
            table = self._store.tables.get(attachment.get(f"{prefix}Type") or "")
            owner = table.find(attachment.get(f"{prefix}Id") or "") if table is not None else None
            if owner is not None:
                return owner
        return None
