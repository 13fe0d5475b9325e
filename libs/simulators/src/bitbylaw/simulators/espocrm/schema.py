"""What an entity type is made of: fields that unfold into attributes, links, switches. The data is in `catalogue`."""

import enum
from functools import cached_property
from typing import Any

import msgspec


class FieldType(enum.StrEnum):
    """EspoCRM's field types, as they are called in its metadata."""

    VARCHAR = "varchar"
    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    ENUM = "enum"
    ARRAY = "array"
    MULTI_ENUM = "multiEnum"
    JSON_OBJECT = "jsonObject"
    JSON_ARRAY = "jsonArray"
    DATE = "date"
    DATE_TIME = "datetime"
    URL = "url"
    FILE = "file"
    ATTACHMENT_MULTIPLE = "attachmentMultiple"
    EMAIL = "email"
    PHONE = "phone"
    LINK = "link"
    LINK_MULTIPLE = "linkMultiple"
    LINK_PARENT = "linkParent"
    LOADED = "loaded"
    """No type of EspoCRM's: an attribute that is computed when a record is shown, such as `emailAddressData`."""


class LinkKind(enum.StrEnum):
    """How two entity types hang together, as called in EspoCRM's metadata."""

    BELONGS_TO = "belongsTo"
    HAS_MANY = "hasMany"
    MANY_MANY = "manyMany"
    BELONGS_TO_PARENT = "belongsToParent"
    HAS_CHILDREN = "hasChildren"


class Role(enum.Enum):
    """What an attribute is to its field."""

    VALUE = enum.auto()
    LINK_ID = enum.auto()
    LINK_TYPE = enum.auto()
    LINK_NAME = enum.auto()
    MANY_IDS = enum.auto()
    MANY_NAMES = enum.auto()
    LOADED = enum.auto()


STORED_ROLES = frozenset({Role.VALUE, Role.LINK_ID, Role.LINK_TYPE})
ARRAY_TYPES = frozenset({FieldType.ARRAY, FieldType.MULTI_ENUM, FieldType.JSON_ARRAY})
STRING_TYPES = frozenset({FieldType.VARCHAR, FieldType.TEXT, FieldType.URL, FieldType.EMAIL, FieldType.PHONE})


class Field(msgspec.Struct, frozen=True):
    """A field. `read_only` ones are set by the server alone; `hidden` ones are stored but never shown.

    `max_length` counts characters; `foreign` is the entity type a link leads to.
    """

    name: str
    type: FieldType = FieldType.VARCHAR
    required: bool = False
    max_length: int | None = None
    options: tuple[str, ...] = ()
    default: Any = None
    foreign: str | None = None
    read_only: bool = False
    hidden: bool = False
    in_list: bool = True
    """Whether a list without `select` shows it (sample 04.15)."""

    def attributes(self) -> "tuple[Attribute, ...]":
        """The attributes this field unfolds into, in the order they are shown (reference 4)."""
        return tuple(Attribute(name=self.name + suffix, role=role, field=self) for suffix, role in _PARTS[self.type])


class Attribute(msgspec.Struct, frozen=True):
    """One key of a record as the API shows it."""

    name: str
    role: Role
    field: Field

    @property
    def stored(self) -> bool:
        """Whether the record itself holds its value."""
        return self.role in STORED_ROLES


_SINGLE = (("Id", Role.LINK_ID), ("Name", Role.LINK_NAME))
_MANY = (("Ids", Role.MANY_IDS), ("Names", Role.MANY_NAMES))
_PARTS: dict[FieldType, tuple[tuple[str, Role], ...]] = {
    **dict.fromkeys(FieldType, (("", Role.VALUE),)),
    FieldType.LINK: _SINGLE,
    FieldType.FILE: _SINGLE,
    FieldType.LINK_PARENT: (("Id", Role.LINK_ID), ("Type", Role.LINK_TYPE), ("Name", Role.LINK_NAME)),
    FieldType.LINK_MULTIPLE: _MANY,
    FieldType.ATTACHMENT_MULTIPLE: _MANY,
    FieldType.LOADED: (("", Role.LOADED),),
}


class Link(msgspec.Struct, frozen=True):
    """A link. `foreign` is the link's name on the other side, `relation` the name both sides of a manyMany share."""

    name: str
    kind: LinkKind
    entity_type: str | None = None
    foreign: str | None = None
    relation: str | None = None


class EntityType(msgspec.Struct, frozen=True, dict=True):
    """An entity type.

    `is_object` makes webhooks possible, `stream` keeps notes of what happens, `versioned` is optimistic concurrency
    control, `duplicate_fields` are compared when a record is created, changes of `status_field` go to the stream.
    """

    name: str
    fields: tuple[Field, ...]
    links: tuple[Link, ...] = ()
    is_object: bool = True
    stream: bool = False
    versioned: bool = False
    duplicate_fields: tuple[str, ...] = ()
    status_field: str | None = None

    @cached_property
    def attributes(self) -> dict[str, Attribute]:
        """Its attributes by name, in the order they are shown; hidden ones included."""
        return {attribute.name: attribute for field in self.fields for attribute in field.attributes()}

    @cached_property
    def field_by_name(self) -> dict[str, Field]:
        """Its fields by name."""
        return {field.name: field for field in self.fields}

    @cached_property
    def link_by_name(self) -> dict[str, Link]:
        """Its links by name."""
        return {link.name: link for link in self.links}


class Schema(msgspec.Struct, frozen=True, dict=True):
    """The entity types of an installation."""

    entity_types: tuple[EntityType, ...]

    @cached_property
    def by_name(self) -> dict[str, EntityType]:
        """The entity types by name."""
        return {entity_type.name: entity_type for entity_type in self.entity_types}
