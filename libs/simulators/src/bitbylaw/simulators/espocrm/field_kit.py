"""Building blocks of the entity types: short names for fields and links, and the groups that recur."""

from bitbylaw.simulators.espocrm.schema import Field, FieldType, Link, LinkKind


def text(name: str, max_length: int | None = 255, *, required: bool = False) -> Field:
    """A short text."""
    return Field(name=name, max_length=max_length, required=required)


def enum(name: str, *options: str, default: str | None = None) -> Field:
    """A choice; without a default None stands for nothing chosen."""
    return Field(name=name, type=FieldType.ENUM, options=options, default=default)


def typed(name: str, kind: FieldType) -> Field:
    """A field that needs nothing but its type."""
    return Field(name=name, type=kind)


def link(name: str, entity_type: str) -> Field:
    """A field for a belongsTo link."""
    return Field(name=name, type=FieldType.LINK, foreign=entity_type)


def many(name: str, entity_type: str) -> Field:
    """A field for a link to many."""
    return Field(name=name, type=FieldType.LINK_MULTIPLE, foreign=entity_type, in_list=False)


def server_set(name: str, kind: FieldType, *, in_list: bool = True, foreign: str | None = None) -> Field:
    """A field that only the server sets."""
    return Field(name=name, type=kind, read_only=True, in_list=in_list, foreign=foreign)


def flag(name: str, *, default: bool = False) -> Field:
    """A yes or no."""
    return Field(name=name, type=FieldType.BOOL, default=default)


CREATED = (server_set("createdAt", FieldType.DATE_TIME), server_set("modifiedAt", FieldType.DATE_TIME))
CREATED_BY = server_set("createdBy", FieldType.LINK, foreign="User")
AUTHORS = (CREATED_BY, server_set("modifiedBy", FieldType.LINK, foreign="User"))
DELETED = server_set("deleted", FieldType.BOOL)
HEAD = (text("name", required=True), DELETED)
EMAIL_FLAGS = (
    flag("emailAddressIsOptedOut"),
    flag("emailAddressIsInvalid"),
    flag("phoneNumberIsOptedOut"),
    flag("phoneNumberIsInvalid"),
)
STREAM = server_set("streamUpdatedAt", FieldType.DATE_TIME)
OWNERS = (*AUTHORS, link("assignedUser", "User"), many("teams", "Team"))
CONTACT_DATA = (
    Field(name="emailAddressData", type=FieldType.LOADED, in_list=False),
    Field(name="phoneNumberData", type=FieldType.LOADED, in_list=False),
)
FOLLOWED = Field(name="isFollowed", type=FieldType.BOOL, default=False, read_only=True, in_list=False)
STARRED = Field(name="isStarred", type=FieldType.BOOL, default=False, read_only=True, in_list=False)
FOLLOWERS = Field(name="followers", type=FieldType.LINK_MULTIPLE, foreign="User", read_only=True, in_list=False)
VERSION = Field(name="versionNumber", type=FieldType.INT, read_only=True)
USUAL_FRONT = (*HEAD, typed("description", FieldType.TEXT), *CREATED)


def belongs(name: str, entity_type: str, foreign: str | None = None) -> Link:
    """A link to one record, whose id this side holds."""
    return Link(name=name, kind=LinkKind.BELONGS_TO, entity_type=entity_type, foreign=foreign)


def has_many(name: str, entity_type: str, foreign: str) -> Link:
    """A link to records that hold this side's id."""
    return Link(name=name, kind=LinkKind.HAS_MANY, entity_type=entity_type, foreign=foreign)


def many_many(name: str, entity_type: str, foreign: str, relation: str) -> Link:
    """A link whose pairs neither side holds."""
    return Link(name=name, kind=LinkKind.MANY_MANY, entity_type=entity_type, foreign=foreign, relation=relation)


USER_LINKS = (belongs("createdBy", "User"), belongs("modifiedBy", "User"), belongs("assignedUser", "User"))
