"""The entity types as data: those of the captured installation, and those of a law firm with the product's fields.

The order of fields is the order in which EspoCRM shows them (samples 01 to 06). Extend an installation with
`extended(schema, "CDokumente", Field(...))`.
"""

import msgspec

from bitbylaw.simulators.espocrm.field_kit import (
    CONTACT_DATA,
    CREATED,
    DELETED,
    EMAIL_FLAGS,
    FOLLOWED,
    FOLLOWERS,
    HEAD,
    OWNERS,
    STARRED,
    STREAM,
    USER_LINKS,
    USUAL_FRONT,
    VERSION,
    belongs,
    enum,
    flag,
    has_many,
    link,
    many,
    many_many,
    text,
    typed,
)
from bitbylaw.simulators.espocrm.schema import EntityType, Field, FieldType, Link, LinkKind, Schema
from bitbylaw.simulators.espocrm.system_types import ATTACHMENTS, NOTES, NOTIFICATIONS, USERS, WEBHOOKS

_SYNC_STATES = ("no_sync", "pending_sync", "clean", "unclean", "failed")


DOCUMENTS = EntityType(
    name="CDokumente",
    fields=(
        *USUAL_FRONT,
        enum("fileStatus", "new", "changed", "synced", default="new"),
        enum("xaiSyncStatus", *_SYNC_STATES, default="no_sync"),
        typed("xaiSyncError", FieldType.TEXT),
        text("xaiId"),
        typed("xaiCollections", FieldType.ARRAY),
        text("xaiSyncedHash"),
        text("md5sum", 32),
        text("sha256", 64),
        Field(name="schlagworte", type=FieldType.MULTI_ENUM, options=("Klage", "Vertrag", "Beweis", "Sonstiges")),
        typed("meta", FieldType.JSON_OBJECT),
        typed("verlauf", FieldType.JSON_ARRAY),
        typed("seiten", FieldType.INT),
        flag("vertraulich"),
        typed("dokumentDatum", FieldType.DATE),
        typed("syncedAt", FieldType.DATE_TIME),
        STREAM,
        *OWNERS,
        Field(name="dokument", type=FieldType.FILE, foreign="Attachment"),
        Field(name="anlagen", type=FieldType.ATTACHMENT_MULTIPLE, foreign="Attachment", in_list=False),
        link("account", "Account"),
        many("raeumungsklages", "Raeumungsklage"),
        many("cBeteiligtes", "CBeteiligte"),
        FOLLOWED,
        FOLLOWERS,
        VERSION,
        Field(name="anlagenTypes", type=FieldType.LOADED, in_list=False),
    ),
    links=(
        *USER_LINKS,
        belongs("account", "Account", "cDokumentes"),
        many_many("raeumungsklages", "Raeumungsklage", "cDokumentes", "cDokumenteRaeumungsklage"),
        many_many("cBeteiligtes", "CBeteiligte", "cDokumentes", "cBeteiligteCDokumente"),
    ),
    stream=True,
    versioned=True,
)

EVICTIONS = EntityType(
    name="Raeumungsklage",
    fields=(
        *USUAL_FRONT,
        text("aktenzeichen"),
        enum("status", "offen", "laufend", "abgeschlossen", default="offen"),
        text("xaiCollectionId"),
        enum("xaiSyncStatus", *_SYNC_STATES, default="no_sync"),
        STREAM,
        *OWNERS,
        FOLLOWED,
        FOLLOWERS,
    ),
    links=(*USER_LINKS, many_many("cDokumentes", "CDokumente", "raeumungsklages", "cDokumenteRaeumungsklage")),
    stream=True,
    status_field="status",
)

PARTIES = EntityType(
    name="CBeteiligte",
    fields=(
        *USUAL_FRONT,
        text("vorname"),
        text("nachname"),
        typed("betnr", FieldType.INT),
        text("advowareRowId"),
        enum("syncStatus", *_SYNC_STATES, default="no_sync"),
        typed("geburtsdatum", FieldType.DATE),
        typed("emailAddress", FieldType.EMAIL),
        typed("phoneNumber", FieldType.PHONE),
        typed("advowareLastSync", FieldType.DATE_TIME),
        *EMAIL_FLAGS,
        STREAM,
        *OWNERS,
        *CONTACT_DATA,
        FOLLOWED,
        FOLLOWERS,
    ),
    links=(
        *USER_LINKS,
        has_many("bankverbindungens", "Bankverbindungen", "cBeteiligte"),
        many_many("cDokumentes", "CDokumente", "cBeteiligtes", "cBeteiligteCDokumente"),
    ),
    stream=True,
    duplicate_fields=("name", "emailAddress"),
)

BANK_ACCOUNTS = EntityType(
    name="Bankverbindungen",
    fields=(
        *USUAL_FRONT,
        text("iban", 34),
        text("bic", 11),
        text("bank"),
        text("advowareId"),
        STREAM,
        *OWNERS,
        link("cBeteiligte", "CBeteiligte"),
        FOLLOWED,
        FOLLOWERS,
    ),
    links=(*USER_LINKS, belongs("cBeteiligte", "CBeteiligte", "bankverbindungens")),
    stream=True,
)


def _address(prefix: str) -> tuple[Field, ...]:
    street = Field(name=f"{prefix}Street", type=FieldType.TEXT)
    return (street, *(text(prefix + part, 100) for part in ("City", "State", "Country", "PostalCode")))


ACCOUNTS = EntityType(
    name="Account",
    fields=(
        *HEAD,
        text("website"),
        typed("emailAddress", FieldType.EMAIL),
        typed("phoneNumber", FieldType.PHONE),
        text("type"),
        text("industry"),
        text("sicCode", 40),
        Field(name="contactRole", read_only=True),
        Field(name="contactIsInactive", type=FieldType.BOOL, default=False, read_only=True),
        *_address("billingAddress"),
        *_address("shippingAddress"),
        typed("description", FieldType.TEXT),
        *CREATED,
        Field(name="targetListIsOptedOut", type=FieldType.BOOL, default=False, read_only=True),
        *EMAIL_FLAGS,
        STREAM,
        *OWNERS,
        *CONTACT_DATA,
        FOLLOWED,
        STARRED,
        FOLLOWERS,
        VERSION,
    ),
    links=(
        *USER_LINKS,
        has_many("contacts", "Contact", "account"),
        has_many("cDokumentes", "CDokumente", "account"),
    ),
    stream=True,
    versioned=True,
    duplicate_fields=("name", "emailAddress"),
)

CONTACTS = EntityType(
    name="Contact",
    fields=(
        text("name"),
        DELETED,
        text("firstName", 100),
        text("lastName", 100, required=True),
        typed("description", FieldType.TEXT),
        typed("emailAddress", FieldType.EMAIL),
        typed("phoneNumber", FieldType.PHONE),
        *CREATED,
        *EMAIL_FLAGS,
        STREAM,
        *OWNERS,
        link("account", "Account"),
        *CONTACT_DATA,
        FOLLOWED,
        FOLLOWERS,
    ),
    links=(*USER_LINKS, belongs("account", "Account", "contacts")),
    stream=True,
)

TASKS = EntityType(
    name="Task",
    fields=(
        *HEAD,
        enum("status", "Not Started", "Started", "Completed", "Canceled", "Deferred", default="Not Started"),
        enum("priority", "Low", "Normal", "High", "Urgent", default="Normal"),
        typed("dateStart", FieldType.DATE_TIME),
        typed("dateEnd", FieldType.DATE_TIME),
        typed("dateStartDate", FieldType.DATE),
        typed("dateEndDate", FieldType.DATE),
        typed("description", FieldType.TEXT),
        Field(name="parent", type=FieldType.LINK_PARENT),
        link("account", "Account"),
        *CREATED,
        STREAM,
        *OWNERS,
        FOLLOWED,
        FOLLOWERS,
    ),
    links=(*USER_LINKS, belongs("account", "Account"), Link(name="parent", kind=LinkKind.BELONGS_TO_PARENT)),
    stream=True,
)


def captured_schema() -> Schema:
    """The installation the samples were captured from: field for field, `CBeteiligte` without `xaiCollectionId`."""
    return Schema(
        entity_types=(
            *(DOCUMENTS, EVICTIONS, PARTIES, ACCOUNTS, BANK_ACCOUNTS, TASKS, CONTACTS),
            *(USERS, ATTACHMENTS, NOTES, NOTIFICATIONS, WEBHOOKS),
        )
    )


def law_firm_schema() -> Schema:
    """The captured installation with the fields the product wants everywhere."""
    schema = extended(captured_schema(), "CBeteiligte", text("xaiCollectionId"))
    schema = extended(schema, "Account", text("cXaiCollectionId"))
    file_state = Field(
        name="dateiStatus",
        type=FieldType.ENUM,
        options=("", "Neu", "Geändert", "Synchronisiert"),
        default="",
    )
    return extended(schema, "CDokumente", file_state)


def extended(schema: Schema, entity_type: str, *fields: Field) -> Schema:
    """Return the schema with fields added to one of its entity types, before `createdBy` as EspoCRM shows them.

    Raises `KeyError` for an entity type the schema does not have.
    """
    old = schema.by_name[entity_type]
    place = [field.name for field in old.fields].index("createdBy")
    new = msgspec.structs.replace(old, fields=(*old.fields[:place], *fields, *old.fields[place:]))
    return Schema(entity_types=tuple(new if kept is old else kept for kept in schema.entity_types))
