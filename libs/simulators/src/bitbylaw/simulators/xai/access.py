"""Who may call: the Files host takes the API key, the management host its own (reference, Hosts and keys)."""

import enum
from collections.abc import Mapping

from bitbylaw.simulators.xai.config import Permission, XaiConfig
from bitbylaw.simulators.xai.errors import bad_request, forbidden, unauthorized

_SCHEME = "Bearer "
_SHOWN = 2


class Host(enum.Enum):
    """The two hosts, told apart by their paths here."""

    FILES = "api.x.ai"
    MANAGEMENT = "management-api.x.ai"


def host_of(path: str) -> Host:
    """Say which of xAI's hosts serves this path."""
    return Host.MANAGEMENT if path.startswith("/v1/collections") else Host.FILES


def check_key(headers: Mapping[str, str], host: Host, config: XaiConfig) -> None:
    """Raise `XaiError`: 401 without a key, 400 (!) for a wrong one, 403 for one that is blocked or lacks the right."""
    sent = headers.get("Authorization", "")
    if not sent.startswith(_SCHEME):
        raise unauthorized("No API key provided. Send it as `Authorization: Bearer <key>`.")
    key = sent.removeprefix(_SCHEME).strip()
    if key != (config.api_key if host is Host.FILES else config.management_key):
        raise bad_request(f"Incorrect API key provided: {key[:_SHOWN]}***{key[-_SHOWN:]}.")
    if key in config.blocked_keys:
        raise forbidden("The API key is blocked.")
    if host is Host.MANAGEMENT:
        require(Permission.COLLECTIONS_ENDPOINT, config)


def require(permission: Permission, config: XaiConfig) -> None:
    """Raise `XaiError` (403) when the management key lacks this permission."""
    if permission not in config.permissions:
        raise forbidden(f"The management key lacks the permission {permission}.")
