"""`GET App/user`: who the caller is and what it may do (sample 09)."""

from typing import Any

from bitbylaw.simulators.espocrm.schema import Schema
from bitbylaw.simulators.espocrm.users import ADMIN, Action, EspoUser

_NO_AUTHORITY = "no"
_OWN = {"read": "own", "stream": "no", "edit": "own", "delete": "own", "create": "yes"}
_READ_OWN = {"read": "own", "stream": "no", "edit": "no", "delete": "no", "create": "no"}
_SYSTEM_SCOPES: dict[str, dict[str, str]] = {
    "ActionHistoryRecord": _READ_OWN,
    "Attachment": _OWN,
    "EmailAccount": _OWN,
    "EmailFilter": _OWN,
    "EmailFolder": _OWN,
    "GroupEmailFolder": {**_READ_OWN, "read": "team"},
    "Note": _OWN,
    "Notification": {**_READ_OWN, "delete": "own"},
}
"""What every API user has, whatever its role."""


def app_user(user: EspoUser, schema: Schema, address: str) -> dict[str, Any]:
    """The caller's own record, its access by scope, and little else of what EspoCRM sends its front end."""
    return {
        "user": _user(user, address),
        "acl": {"table": _table(user, schema)},
        "preferences": {},
        "settings": {},
        "language": "en_US",
    }


def _user(user: EspoUser, address: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("title", "emailAddress", "phoneNumber"))
    flags = ("emailAddressIsOptedOut", "emailAddressIsInvalid", "phoneNumberIsOptedOut", "phoneNumberIsInvalid")
    return {
        "id": user.id,
        "name": user.shown_name,
        "deleted": False,
        "userName": user.user_name,
        "type": "admin" if user.is_admin else "api",
        "salutationName": None,
        "firstName": None,
        "lastName": user.shown_name,
        "isActive": True,
        **nothing,
        "ipAddress": address,
        "avatarColor": None,
        "createdAt": user.created_at,
        "modifiedAt": user.created_at,
        "middleName": None,
        **dict.fromkeys(flags),
        "defaultTeamId": None,
        "defaultTeamName": None,
        "teamsIds": [],
        "teamsNames": {},
        "teamsColumns": {},
        **dict.fromkeys(("contactId", "contactName", "avatarId", "avatarName")),
        "createdById": ADMIN.id,
        "createdByName": ADMIN.shown_name,
        "workingTimeCalendarId": None,
        "emailAddressList": [],
        "userEmailAddressList": [],
        "excludeFromReplyEmailAddressList": [],
    }


def _table(user: EspoUser, schema: Schema) -> dict[str, dict[str, str]]:
    ordinary = [name for name in schema.by_name if name not in _SYSTEM_SCOPES]
    return {**_SYSTEM_SCOPES, **{name: _access(user, name) for name in ordinary}}


def _access(user: EspoUser, name: str) -> dict[str, str]:
    levels = {action: "all" if user.may(name, action) else _NO_AUTHORITY for action in Action}
    return {
        "read": levels[Action.READ],
        "stream": levels[Action.READ],
        "edit": levels[Action.EDIT],
        "delete": levels[Action.DELETE],
        "create": "yes" if user.may(name, Action.CREATE) else _NO_AUTHORITY,
    }
