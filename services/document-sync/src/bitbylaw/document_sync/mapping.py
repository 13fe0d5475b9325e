"""Between EspoCRM's attributes and our words, field by field. Pure."""

import re
from enum import StrEnum
from typing import TypeVar

from bitbylaw.common.events import EntityRef
from bitbylaw.document_sync.model import Document, Owner
from bitbylaw.document_sync.policies import DocumentPolicies, OwnerLink, Values
from bitbylaw.document_sync.status import FileStatus, XaiSyncStatus

_Enum = TypeVar("_Enum", bound=StrEnum)

#: What xAI refuses in a file name (reference xai.md): control characters, line separators and these four.
_FORBIDDEN_IN_NAME = re.compile(r'[\x00-\x1f\x7f\x85\u2028\u2029";\\/]')
_MAX_NAME = 255
_MAX_ERROR = 2000
_DIGEST_PART = 16


def read_document(values: Values, policies: DocumentPolicies) -> Document:
    """A CDokumente from its attributes."""
    fields = policies.fields
    datei_status = values.text(fields.datei_status)
    file_status = _enum(FileStatus, values.text(fields.file_status))
    return Document(
        id=values.text("id") or "",
        name=values.text("name") or "",
        attachment_id=values.text(fields.file_id),
        attachment_name=values.text(fields.file_name),
        file_status=file_status,
        datei_status=datei_status,
        wants_sync=file_status in {FileStatus.NEW, FileStatus.CHANGED} or datei_status in policies.datei_status_new,
        sync_status=_enum(XaiSyncStatus, values.text(fields.sync_status)),
        sync_error=values.text(fields.sync_error),
        xai_id=values.text(fields.xai_id),
        xai_collections=values.texts(fields.xai_collections),
        synced_hash=values.text(fields.synced_hash),
        md5=values.text(fields.md5),
        sha256=values.text(fields.sha256),
        owners=tuple(ref for link in policies.owners for ref in _linked(values, link)),
        version=values.number("versionNumber"),
        attributes=frozenset(values.items),
    )


def read_owner(values: Values, link: OwnerLink) -> Owner:
    """An entity with a collection from its attributes."""
    entity_id = values.text("id") or ""
    return Owner(
        ref=EntityRef(link.entity_type, entity_id),
        name=values.text("name") or entity_id,
        collection_id=values.text(link.collection_field),
        has_field=link.collection_field in values.items,
    )


def _linked(values: Values, link: OwnerLink) -> tuple[EntityRef, ...]:
    single = values.text(link.attribute)
    ids = (single,) if single else values.texts(link.attribute)
    return tuple(EntityRef(link.entity_type, entity_id) for entity_id in sorted(set(ids)))


def _enum(enum: type[_Enum], text: str | None) -> _Enum | None:
    """The member, None for a value that this CRM has and we do not know: it is then left to be corrected."""
    return enum(text) if text in set(enum) else None


def upload_name(document_id: str, sha256: str, original: str) -> str:
    """The file's name in xAI: found again by its beginning, readable by its end, within xAI's rules."""
    readable = _FORBIDDEN_IN_NAME.sub("_", original).strip()
    prefix = f"{document_id}-{sha256[:_DIGEST_PART]}-"
    room = _MAX_NAME - len(prefix)
    if len(readable) > room:
        stem, dot, suffix = readable.rpartition(".")
        keep = room - len(suffix) - 1
        readable = f"{stem[:keep]}.{suffix}" if dot and 0 < keep < len(stem) else readable[:room]
    return prefix + readable


def collection_name(owner: Owner) -> str:
    """The collection's name: the entity's type and name, as a person would look for it."""
    return f"{owner.ref.type} - {owner.name}"[:_MAX_NAME]


def back_reference(owner: EntityRef) -> str:
    """The collection's description: the way back to the entity, exact and readable."""
    return f"EspoCRM {owner.type}/{owner.id}"


def read_back_reference(description: str | None) -> EntityRef | None:
    """The entity that a collection's description names, None if it is none of ours."""
    match = re.fullmatch(r"EspoCRM ([A-Za-z0-9]+)/([0-9a-f-]{17,36})", description or "")
    return EntityRef(match[1], match[2]) if match else None


def error_text(reason: str) -> str:
    """A reason, cut to what the CRM's text field shows well."""
    return reason[:_MAX_ERROR]
