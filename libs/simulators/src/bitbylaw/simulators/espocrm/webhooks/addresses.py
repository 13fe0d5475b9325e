"""Which webhook URLs EspoCRM refuses as internal, and the list of those that are allowed all the same (reference 1)."""

from ipaddress import ip_address
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


class AllowedAddresses:
    """The setting `webhookAllowedAddressList`: internal `host:port` that may receive webhooks."""

    def __init__(self, addresses: frozenset[str], *, allow_loopback: bool) -> None:
        self._addresses = set(addresses)
        self._allow_loopback = allow_loopback

    def allow(self, address: str) -> None:
        """Add `host:port`."""
        self._addresses.add(address)

    def forbid(self, address: str) -> None:
        """Take `host:port` out again."""
        self._addresses.discard(address)

    def permits(self, url: str) -> bool:
        """Say whether a webhook may be sent there."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = f"{host}:{parts.port or _PORTS.get(parts.scheme, 0)}"
        if address in self._addresses or not _is_internal(host):
            return True
        return self._allow_loopback and _is_loopback(host)


def _is_internal(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        # Names are not resolved here: a name without a dot can only be of this network.
        return "." not in host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
