"""The HTTP application: both hosts under one `/v1`, every route with the key of its own host."""

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from bitbylaw.simulators.faults import CONTROL_PREFIX, Handler, Instruments, instrument
from bitbylaw.simulators.xai.access import Host, check_key, host_of
from bitbylaw.simulators.xai.answers import json_answer
from bitbylaw.simulators.xai.collection_routes import CollectionRoutes
from bitbylaw.simulators.xai.document_routes import DocumentRoutes
from bitbylaw.simulators.xai.errors import XaiError, error_body
from bitbylaw.simulators.xai.file_routes import FileRoutes
from bitbylaw.simulators.xai.rate import RateLimit
from bitbylaw.simulators.xai.world import World

BASE = "/v1"
"""What all routes begin with, those of both hosts."""


class XaiApplication(msgspec.Struct, frozen=True):
    """The application and its faults and request log."""

    app: web.Application
    instruments: Instruments


def make_application(world: World) -> XaiApplication:
    """Build the application; the faults stand before everything else, `/_sim/state` shows what there is."""
    app = web.Application()
    instruments = instrument(app)
    app.middlewares.append(_guarding(_Guard(world)))
    for routes in (FileRoutes(world), CollectionRoutes(world), DocumentRoutes(world)):
        routes.add_to(app)

    async def show_state(_request: web.Request) -> web.Response:
        return json_answer(world.library.snapshot())

    app.router.add_get(f"{CONTROL_PREFIX}state", show_state)
    return XaiApplication(app=app, instruments=instruments)


class _Guard:
    """What stands before every route: keys, limits, expiry."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._limits = {host: RateLimit() for host in Host}

    def admit(self, request: web.Request) -> None:
        """Raise `XaiError` for a request that may not be made."""
        config, host = self._world.config, host_of(request.path)
        check_key(request.headers, host, config)
        rate = config.files_rate if host is Host.FILES else config.management_rate
        self._limits[host].take(rate, config.clock, config.retry_after)
        self._world.shelf.drop_expired(config.clock())


def _guarding(guard: _Guard) -> Middleware:
    @web.middleware
    async def admit_and_word_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if not request.path.startswith(CONTROL_PREFIX):
                guard.admit(request)
            return await handler(request)
        except XaiError as refusal:
            return json_answer(refusal.body, refusal.status, refusal.headers)
        except web.HTTPException as raised:
            return json_answer(error_body(raised.status, raised.reason), raised.status)

    return admit_and_word_errors
