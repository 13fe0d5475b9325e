"""Who is calling: API key, signed key, name and password; and the guard against guessing (reference 3, sample 08)."""

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections import deque
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from bitbylaw.simulators.espocrm.clock import Clock
from bitbylaw.simulators.espocrm.errors import EspoError
from bitbylaw.simulators.espocrm.users import EspoUser


class FailedLogins:
    """The brute-force guard: too many denied logins from an address lock it out, also with a valid key."""

    def __init__(self, clock: Clock, allowed: int, period: float) -> None:
        self._clock = clock
        self._allowed = allowed
        self._period = period
        self._denied: dict[str, deque[float]] = {}

    def check(self, address: str) -> None:
        """Raise `EspoError` 403 without a reason while the address is locked out."""
        denied = self._denied.get(address, deque())
        while denied and denied[0] <= self._clock() - self._period:
            denied.popleft()
        if len(denied) > self._allowed:
            raise EspoError(HTTPStatus.FORBIDDEN, html=True)

    def note(self, address: str) -> None:
        """Note a denied login."""
        self._denied.setdefault(address, deque()).append(self._clock())


class Authenticator:
    """Finds the user behind a request."""

    def __init__(self, users: Iterable[EspoUser], failed_logins: FailedLogins) -> None:
        known = list(users)
        self._by_key = {user.api_key: user for user in known if user.api_key}
        self._by_name = {user.user_name: user for user in known if user.password}
        self._failed_logins = failed_logins

    def user(self, headers: Mapping[str, str], address: str, method: str, path: str) -> EspoUser:
        """The caller; `path` is the one below `api/v1`, without its query. Raises `EspoError` 401 and 403."""
        self._failed_logins.check(address)
        if not _has_credentials(headers):
            raise EspoError(HTTPStatus.UNAUTHORIZED, html=True, challenge=True)
        user = self._find(headers, method, path)
        if user is None:
            self._failed_logins.note(address)
            raise EspoError(HTTPStatus.UNAUTHORIZED, html=True)
        return user

    def _find(self, headers: Mapping[str, str], method: str, path: str) -> EspoUser | None:
        if "X-Hmac-Authorization" in headers:
            return self._signed(headers["X-Hmac-Authorization"], f"{method} {path}")
        if "X-Api-Key" in headers:
            user = self._by_key.get(headers["X-Api-Key"])
            return None if user is None or user.hmac_secret is not None else user
        encoded = headers.get("Espo-Authorization") or headers.get("Authorization", "").partition(" ")[2]
        return self._with_password(_decoded(encoded))

    def _with_password(self, credentials: bytes) -> EspoUser | None:
        name, _, password = credentials.decode(errors="replace").partition(":")
        user = self._by_name.get(name)
        return user if user is not None and hmac.compare_digest(user.password or "", password) else None

    def _signed(self, header: str, text: str) -> EspoUser | None:
        """Accept the hex digest of 8.4.1 and later, and the raw one before."""
        key, _, digest = _decoded(header).partition(b":")
        user = self._by_key.get(key.decode(errors="replace"))
        if user is None or user.hmac_secret is None:
            return None
        mac = hmac.new(user.hmac_secret.encode(), text.encode(), hashlib.sha256)
        return user if digest in {mac.hexdigest().encode(), mac.digest()} else None


def _has_credentials(headers: Mapping[str, str]) -> bool:
    return any(name in headers for name in ("X-Hmac-Authorization", "X-Api-Key", "Espo-Authorization", "Authorization"))


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text)
    except binascii.Error:
        return b""
