"""Start a simulated xAI inside a test, or build the application for a process of its own."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from bitbylaw.simulators.faults import FaultPlan, RequestLog
from bitbylaw.simulators.server import serve
from bitbylaw.simulators.xai.app import BASE, XaiApplication, make_application
from bitbylaw.simulators.xai.config import XaiConfig
from bitbylaw.simulators.xai.inspection import CollectionView, collection_views
from bitbylaw.simulators.xai.model import StoredFile
from bitbylaw.simulators.xai.persistence import Keeper
from bitbylaw.simulators.xai.world import World

_CleanupContext = Callable[[web.Application], AsyncIterator[None]]


class XaiSimulator:
    """A running simulated xAI: where it is, its keys, its faults and log, and everything it holds.

    `url` is the server, `api_url` the base of both hosts' routes.
    """

    def __init__(self, url: str, world: World, application: XaiApplication) -> None:
        self.url = url
        self.faults: FaultPlan = application.instruments.faults
        self.log: RequestLog = application.instruments.log
        self._world = world

    @classmethod
    @asynccontextmanager
    async def running(cls, config: XaiConfig | None = None, port: int = 0) -> AsyncIterator["XaiSimulator"]:
        """Run until the block ends; port 0 takes a free one. Raises `OSError` when the port is taken."""
        with world_of(config or XaiConfig()) as world:
            application = application_of(world)
            async with serve(application.app, port=port) as server:
                yield cls(server.url, world, application)

    @property
    def api_url(self) -> str:
        """What `XAI_API_BASE_URL` and `XAI_MANAGEMENT_API_BASE_URL` want; ends in `/v1`."""
        return self.url + BASE

    @property
    def api_key(self) -> str:
        """The key of the Files host."""
        return self._world.config.api_key

    @property
    def management_key(self) -> str:
        """The key of the management host."""
        return self._world.config.management_key

    @property
    def config(self) -> XaiConfig:
        """The configuration in force."""
        return self._world.config

    def reconfigure(self, **changes: Any) -> None:
        """Change settings for the requests to come: `xai.reconfigure(repeated_add=RepeatedAdd.CONFLICT)`."""
        self._world.reconfigure(**changes)

    @property
    def files(self) -> list[StoredFile]:
        """All files there are, oldest first."""
        return list(self._world.library.files.values())

    @property
    def uploads(self) -> list[StoredFile]:
        """All files ever taken, deleted ones included, oldest first."""
        return list(self._world.library.uploads)

    @property
    def collections(self) -> list[CollectionView]:
        """All collections with their documents, oldest first."""
        return collection_views(self._world)

    def content(self, file_id: str) -> bytes:
        """The content of a file. Raises `FileNotFoundError`."""
        return self._world.blobs.path(file_id).read_bytes()


@contextmanager
def world_of(config: XaiConfig) -> Iterator[World]:
    """The world in the configuration's `state_dir`, or in a temporary directory that goes with the block."""
    if config.state_dir is not None:
        yield World(config, config.state_dir)
        return
    with tempfile.TemporaryDirectory(prefix="xai-simulator-") as directory:
        yield World(config, Path(directory))


def application_of(world: World) -> XaiApplication:
    """The application; it keeps a snapshot while it runs if the configuration names a `state_dir`."""
    application = make_application(world)
    if world.config.state_dir is not None:
        keeper = Keeper(world.library, world.config.state_dir, world.config.snapshot_interval)
        application.app.cleanup_ctx.append(_keeping(keeper))
    return application


def _keeping(keeper: Keeper) -> _CleanupContext:
    async def keep(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(keeper.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        keeper.save()

    return keep
