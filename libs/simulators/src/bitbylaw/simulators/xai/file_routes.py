"""The routes of the Files host, `api.x.ai` (reference, Files REST and Search)."""

from aiohttp import web

from bitbylaw.simulators.xai.answers import content_answer, json_answer
from bitbylaw.simulators.xai.bodies import Search, read_body
from bitbylaw.simulators.xai.errors import bad_request
from bitbylaw.simulators.xai.paging import page_request
from bitbylaw.simulators.xai.rendering import deleted_file_json, file_json, match_json
from bitbylaw.simulators.xai.shelf import FILE_ORDER
from bitbylaw.simulators.xai.upload import FileFormReader
from bitbylaw.simulators.xai.world import World

_FORMATS = {"", "original", "text"}


class FileRoutes:
    """Files and search."""

    def __init__(self, world: World) -> None:
        self._world = world

    def add_to(self, app: web.Application) -> None:
        """Register the routes."""
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files", self._list)
        app.router.add_get("/v1/files/{file_id}", self._show)
        app.router.add_delete("/v1/files/{file_id}", self._delete)
        app.router.add_get("/v1/files/{file_id}/content", self._content)
        app.router.add_post("/v1/documents/search", self._search)

    async def _upload(self, request: web.Request) -> web.Response:
        file = await self._world.shelf.take(FileFormReader(request), self._world.config)
        return json_answer(file_json(file))

    async def _list(self, request: web.Request) -> web.Response:
        page = self._world.shelf.page(page_request(request.query, FILE_ORDER), request.query.get("filter", ""))
        return json_answer({"data": [file_json(file) for file in page.items], "pagination_token": page.token})

    async def _show(self, request: web.Request) -> web.Response:
        return json_answer(file_json(self._world.shelf.find(request.match_info["file_id"])))

    async def _delete(self, request: web.Request) -> web.Response:
        file_id = request.match_info["file_id"]
        self._world.shelf.delete(file_id, self._world.config.used_file_deletion)
        return json_answer(deleted_file_json(file_id))

    async def _content(self, request: web.Request) -> web.Response:
        if request.query.get("format", "") not in _FORMATS:
            raise bad_request("format must be original or text.")
        file = self._world.shelf.find(request.match_info["file_id"])
        return content_answer(self._world.blobs.path(file.id))

    async def _search(self, request: web.Request) -> web.Response:
        matches = self._world.searcher.matches(await read_body(request, Search), self._world.config)
        return json_answer({"matches": [match_json(match) for match in matches]})
