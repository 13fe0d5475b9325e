"""What single entity types do beyond the common record service; each has a module with a subclass of `EntityRules`."""

from collections.abc import Mapping
from typing import Any

from bitbylaw.simulators.espocrm.coercion import Sent
from bitbylaw.simulators.espocrm.store import Record
from bitbylaw.simulators.espocrm.users import Action, EspoUser


class EntityRules:
    """The ordinary entity type: nothing special. Every method may raise `EspoError`."""

    def prepare_create(self, user: EspoUser, data: Mapping[str, Any], sent: Sent) -> None:
        """Check a create before the common rules; `data` is what the client sent, `sent` what is left of it."""

    def server_values(self, user: EspoUser, data: Mapping[str, Any], sent: Sent) -> dict[str, Any]:  # noqa: ARG002 - for subclasses
        """Values only the server sets on a create."""
        return {}

    def prepare_update(self, user: EspoUser, record: Record, sent: Sent) -> None:
        """Check an update before the common rules."""

    def may(self, user: EspoUser, record: Record, action: Action) -> bool:
        """Say whether this user may do this to this record."""
        return user.may(record.entity_type.name, action)

    def after_save(self, user: EspoUser, record: Record, data: Mapping[str, Any], *, is_new: bool) -> None:
        """Do what follows a save."""

    def after_delete(self, user: EspoUser, record: Record) -> None:
        """Do what follows a deletion."""
