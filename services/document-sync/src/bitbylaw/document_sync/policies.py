"""Table `[documents]` of the TOML configuration: names in the customer's EspoCRM, and what may go to xAI."""

from collections.abc import Mapping

import msgspec

_TEXT = ("text/*", "application/json", "application/xml", "application/xhtml+xml", "application/rtf")
_OFFICE = (
    "application/pdf",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.ms-outlook",
    "application/vnd.oasis.opendocument.text",
    "application/epub+zip",
    "message/rfc822",
)


class DocumentFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Attributes of CDokumente. An attribute that the CRM does not have is never written."""

    file_id: str = "dokumentId"
    file_name: str = "dokumentName"
    file_status: str = "fileStatus"
    datei_status: str = "dateiStatus"
    sync_status: str = "xaiSyncStatus"
    sync_error: str = "xaiSyncError"
    xai_id: str = "xaiId"
    xai_collections: str = "xaiCollections"
    synced_hash: str = "xaiSyncedHash"
    md5: str = "md5sum"
    sha256: str = "sha256"


class OwnerLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link from CDokumente to entities that have a collection.

    `attribute` holds the linked id or ids on the document, `link` is the link's name there, `entity_type` the linked
    entity's type, `collection_field` the attribute on it that keeps the collection's id.
    """

    attribute: str
    link: str
    entity_type: str
    collection_field: str = "xaiCollectionId"


class DocumentPolicies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How documents are treated.

    `datei_status_new` are the values of `dateiStatus` that ask for a sync, `datei_status_synced` is written after one
    (empty: left alone). `content_types` may go to xAI, `text/*` standing for all text (source: xAI's collections page).
    `look_seconds` bounds the pauses between looks at a file xAI processes, `look_for_hours` how long that may take.
    `late_upload_seconds` is how long an upload that was cut may still arrive; it is then looked for and taken away.
    """

    entity_type: str = "CDokumente"
    fields: DocumentFields = DocumentFields()
    owners: tuple[OwnerLink, ...] = (
        OwnerLink("raeumungsklagesIds", "raeumungsklages", "Raeumungsklage"),
        OwnerLink("cBeteiligtesIds", "cBeteiligtes", "CBeteiligte"),
        OwnerLink("accountId", "account", "Account", "cXaiCollectionId"),
    )
    datei_status_new: tuple[str, ...] = ("Neu", "Geändert")
    datei_status_synced: str = "Synchronisiert"
    content_types: tuple[str, ...] = _TEXT + _OFFICE
    look_seconds: tuple[float, float] = (1.0, 300.0)
    look_for_hours: float = 24.0
    late_upload_seconds: float = 900.0

    def owner_link(self, entity_type: str) -> OwnerLink | None:
        """The link whose far end is `entity_type`."""
        return next((owner for owner in self.owners if owner.entity_type == entity_type), None)


class Values(msgspec.Struct, frozen=True):
    """Attributes of a record as EspoCRM sent them; the one loose mapping, ended by `mapping`."""

    items: Mapping[str, object]

    def text(self, name: str) -> str | None:
        """A text attribute; None when empty, missing or no text."""
        value = self.items.get(name)
        return value if isinstance(value, str) and value else None

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of an array attribute."""
        value = self.items.get(name)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()

    def number(self, name: str) -> int | None:
        """A whole number."""
        value = self.items.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None
