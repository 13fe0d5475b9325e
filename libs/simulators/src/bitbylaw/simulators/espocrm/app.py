"""The aiohttp application: routes, login, maintenance, and EspoCRM's answers to what fits no route."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from bitbylaw.simulators.espocrm.api import Api, ApiHandler, Call
from bitbylaw.simulators.espocrm.auth import Authenticator, FailedLogins
from bitbylaw.simulators.espocrm.core import Core
from bitbylaw.simulators.espocrm.errors import EspoError
from bitbylaw.simulators.espocrm.http import SERVER, Speaker, no_route, refusal
from bitbylaw.simulators.faults import FaultPlan, Instruments, RequestLog, instrument

BASE = "/api/v1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """Lets calls in: while there is no maintenance, and from those it knows."""

    def __init__(self, core: Core) -> None:
        config = core.config
        guard = FailedLogins(config.clock, config.max_failed_logins, config.failed_logins_period)
        self._authenticator = Authenticator(config.users, guard)
        self.maintenance = False

    def behind(self, handler: ApiHandler) -> Handler:
        """A handler for aiohttp that knows its caller and turns refusals into answers."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(self._call(request))
            except EspoError as error:
                return refusal(error)

        return handle

    def _call(self, request: web.Request) -> Call:
        if self.maintenance:
            raise EspoError(503)
        path = request.path.removeprefix(BASE)
        user = self._authenticator.user(request.headers, request.remote or "", request.method, path)
        return Call(user=user, request=request)


def build_app(core: Core, door: Door, faults: FaultPlan, log: RequestLog) -> tuple[web.Application, Instruments]:
    """Build the application."""
    app = web.Application(client_max_size=core.config.max_body_size)
    instruments = instrument(app, faults, log)
    app.middlewares.append(_router_answers)
    app.on_response_prepare.append(_sign)
    _add_routes(app, Api(core, Speaker(core.config.app_timestamp)), door)
    return app, instruments


def _add_routes(app: web.Application, api: Api, door: Door) -> None:
    routes: tuple[tuple[str, str, ApiHandler], ...] = (
        ("GET", "/", api.entry_point),
        ("GET", f"{BASE}/Metadata", api.metadata),
        ("GET", f"{BASE}/App/user", api.app_user),
        ("GET", f"{BASE}/OpenApi", api.openapi),
        ("POST", f"{BASE}/MassAction", api.mass_action),
        ("GET", f"{BASE}/Attachment/file/{{id}}", api.file),
        ("POST", f"{BASE}/Attachment/chunk/{{id}}", api.chunk),
        ("POST", f"{BASE}/{{entity}}/action/restoreDeleted", api.restore),
        ("GET", f"{BASE}/{{entity}}", api.list_records),
        ("POST", f"{BASE}/{{entity}}", api.create),
        ("GET", f"{BASE}/{{entity}}/{{id}}", api.read),
        ("HEAD", f"{BASE}/{{entity}}/{{id}}", api.head),
        ("PUT", f"{BASE}/{{entity}}/{{id}}", api.update),
        ("PATCH", f"{BASE}/{{entity}}/{{id}}", api.update),
        ("DELETE", f"{BASE}/{{entity}}/{{id}}", api.delete),
        ("GET", f"{BASE}/{{entity}}/{{id}}/{{link}}", api.related),
        ("POST", f"{BASE}/{{entity}}/{{id}}/{{link}}", api.link),
        ("DELETE", f"{BASE}/{{entity}}/{{id}}/{{link}}", api.unlink),
    )
    for method, path, handler in routes:
        app.router.add_route(method, path, door.behind(handler))


@web.middleware
async def _router_answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as raised:
        return no_route(raised)


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    del request
    response.headers["Server"] = SERVER
