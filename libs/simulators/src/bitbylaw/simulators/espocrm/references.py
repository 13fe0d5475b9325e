"""What a record refers to when it is saved: links, links to many, files. Checked before the save, kept after it."""

from typing import Any

from bitbylaw.simulators.espocrm.attachments import AttachmentKeeper
from bitbylaw.simulators.espocrm.coercion import Sent
from bitbylaw.simulators.espocrm.errors import cannot_relate, forbidden
from bitbylaw.simulators.espocrm.relating import Pair, Relating, many_link
from bitbylaw.simulators.espocrm.rendering import linked_type
from bitbylaw.simulators.espocrm.schema import EntityType, Field, FieldType, Role
from bitbylaw.simulators.espocrm.store import Record, Store
from bitbylaw.simulators.espocrm.users import Action, EspoUser


class References:
    """Keeps what records refer to."""

    def __init__(self, store: Store, relating: Relating, attachments: AttachmentKeeper) -> None:
        self._store = store
        self._relating = relating
        self._attachments = attachments

    def check(self, user: EspoUser, entity_type: EntityType, record: Record | None, sent: Sent) -> None:
        """Refuse ids of records that do not exist or that the user may not read or attach. Raises `EspoError` 403."""
        for name, value in sent.values.items():
            attribute = entity_type.attributes[name]
            changed = record is None or record.get(name) != value
            if attribute.role is Role.LINK_ID and value is not None and changed:
                self._check_one(user, entity_type, attribute.field, self._foreign(attribute.field, record, sent), value)
        for name, ids in sent.many.items():
            for foreign_id in ids:
                field = entity_type.field_by_name[name]
                self._check_one(user, entity_type, field, field.foreign, foreign_id)

    def differs(self, record: Record, name: str, ids: Any) -> bool:
        """Say whether these ids are another set than the stored one; their order does not count (sample 11)."""
        field = record.entity_type.field_by_name[name]
        if not isinstance(ids, list) or (
            field.type is FieldType.LINK_MULTIPLE and many_link(record.entity_type, field) is None
        ):
            return False
        return set(ids) != set(self._relating.ids(record, field))

    def save(self, record: Record, sent: Sent, before: dict[str, Any] | None = None) -> tuple[list[Pair], list[Pair]]:
        """Keep the links to many and the files; `before` holds the old values of what changed.

        Return the pairs that are new and those that are gone.
        """
        added: list[Pair] = []
        gone: list[Pair] = []
        for name, ids in sent.many.items():
            field = record.entity_type.field_by_name[name]
            link = many_link(record.entity_type, field)
            if field.type is FieldType.ATTACHMENT_MULTIPLE:
                self._attachments.replace_many(record, field, ids)
            elif link is not None:
                new, old = self._relating.replace(record, link, list(dict.fromkeys(ids)))
                added += new
                gone += old
        for field in record.entity_type.fields:
            name = f"{field.name}Id"
            if field.type is FieldType.FILE and name in sent.values and (before is None or name in before):
                self._attachments.replace_file(record, (before or {}).get(name), sent.values[name])
        return added, gone

    def _foreign(self, field: Field, record: Record | None, sent: Sent) -> str | None:
        if field.type is not FieldType.LINK_PARENT:
            return field.foreign
        sent_type = sent.values.get(f"{field.name}Type")
        return sent_type or (linked_type(record, field) if record is not None else None)

    def _check_one(
        self, user: EspoUser, entity_type: EntityType, field: Field, foreign: str | None, foreign_id: str
    ) -> None:
        table = self._store.tables.get(foreign or "")
        if table is None:
            return
        found = table.find(foreign_id)
        if found is None:
            raise cannot_relate(entity_type.name, field.name, table.entity_type.name)
        if table.entity_type.name == "Attachment":
            if not user.is_admin and found.get("createdById") != user.id and not _is_kept(found, entity_type):
                raise forbidden("No access to attachment.")
        elif not user.may(table.entity_type.name, Action.READ) and table.entity_type.name != "User":
            raise cannot_relate(entity_type.name, field.name, table.entity_type.name)


def _is_kept(attachment: Record, entity_type: EntityType) -> bool:
    """Say whether an attachment hangs on such a record already, so that sending it again is no new attaching."""
    return attachment.get("parentType") == entity_type.name and attachment.get("parentId") is not None
