"""EspoCRM's metadata (fields, options, links), kept for a while: it changes when an administrator changes it."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec


class _Kept(msgspec.Struct, frozen=True):
    value: object
    until: float


class MetadataCache:
    """Keeps what `fetch` answers for each key for `ttl` seconds. Keys are named in code and configuration: few."""

    def __init__(self, fetch: Callable[[str], Awaitable[object]], *, ttl: float) -> None:
        self._fetch = fetch
        self._ttl = ttl
        self._kept: dict[str, _Kept] = {}
        self._fetching = asyncio.Lock()

    async def get(self, key: str) -> object:
        """The value of `key`, asked for at most once at a time. Raises what `fetch` raises."""
        async with self._fetching:
            now = asyncio.get_running_loop().time()
            kept = self._kept.get(key)
            if kept is None or now >= kept.until:
                kept = self._kept[key] = _Kept(await self._fetch(key), now + self._ttl)
            return kept.value
