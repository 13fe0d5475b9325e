"""EspoCRM's own entity types that every installation has: users, attachments, notes, notifications, webhooks."""

from bitbylaw.simulators.espocrm.field_kit import (
    AUTHORS,
    CREATED,
    CREATED_BY,
    DELETED,
    enum,
    flag,
    link,
    many,
    text,
    typed,
)
from bitbylaw.simulators.espocrm.schema import EntityType, Field, FieldType

USERS = EntityType(
    name="User",
    fields=(
        text("name"),
        DELETED,
        text("userName", 50, required=True),
        enum("type", "regular", "admin", "portal", "system", "super-admin", "api", default="regular"),
        text("salutationName"),
        text("firstName", 100),
        text("lastName", 100),
        flag("isActive", default=True),
        text("title", 100),
        typed("emailAddress", FieldType.EMAIL),
        typed("phoneNumber", FieldType.PHONE),
        *CREATED,
        many("teams", "Team"),
        CREATED_BY,
    ),
)

ATTACHMENTS = EntityType(
    name="Attachment",
    fields=(
        text("name", required=True),
        DELETED,
        text("type", 100),
        typed("size", FieldType.INT),
        text("field"),
        flag("isBeingUploaded"),
        *CREATED,
        text("role", 36),
        Field(name="storage", default="EspoUploadDir", read_only=True),
        Field(name="storageFilePath", type=FieldType.LOADED),
        Field(name="global", type=FieldType.BOOL, default=False, read_only=True),
        Field(name="parent", type=FieldType.LINK_PARENT),
        Field(name="related", type=FieldType.LINK_PARENT),
        Field(name="sourceId", read_only=True),
        CREATED_BY,
    ),
    is_object=False,
)

NOTES = EntityType(
    name="Note",
    fields=(
        DELETED,
        typed("post", FieldType.TEXT),
        Field(name="data", type=FieldType.JSON_OBJECT, read_only=True),
        enum("type", "Post", "Create", "Update", "Status", "Relate", "Unrelate", "CreateRelated", default="Post"),
        Field(name="number", type=FieldType.INT, read_only=True, hidden=True),
        flag("isInternal"),
        Field(name="reactionCounts", type=FieldType.LOADED),
        Field(name="myReactions", type=FieldType.LOADED),
        *CREATED,
        Field(name="parent", type=FieldType.LINK_PARENT),
        Field(name="related", type=FieldType.LINK_PARENT, read_only=True),
        Field(name="superParent", type=FieldType.LINK_PARENT, read_only=True, hidden=True),
        Field(name="attachments", type=FieldType.ATTACHMENT_MULTIPLE, foreign="Attachment", in_list=False),
        *AUTHORS,
        Field(name="attachmentsTypes", type=FieldType.LOADED, in_list=False),
    ),
    is_object=False,
)

NOTIFICATIONS = EntityType(
    name="Notification",
    fields=(
        DELETED,
        text("type", required=True),
        typed("message", FieldType.TEXT),
        typed("data", FieldType.JSON_OBJECT),
        flag("read"),
        *CREATED,
        link("user", "User"),
        Field(name="related", type=FieldType.LINK_PARENT),
        CREATED_BY,
    ),
    is_object=False,
)

WEBHOOKS = EntityType(
    name="Webhook",
    fields=(
        DELETED,
        text("event", 100, required=True),
        Field(name="url", type=FieldType.URL, required=True, max_length=512),
        flag("isActive", default=True),
        Field(name="entityType", read_only=True),
        Field(name="type", read_only=True),
        Field(name="field", read_only=True),
        Field(name="secretKey", read_only=True),
        flag("skipOwn"),
        typed("description", FieldType.TEXT),
        *CREATED,
        *AUTHORS,
    ),
    is_object=False,
)
