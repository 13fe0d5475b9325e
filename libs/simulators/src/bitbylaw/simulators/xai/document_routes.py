"""The document routes of the management host (reference, Collections REST)."""

from aiohttp import web

from bitbylaw.simulators.xai.access import require
from bitbylaw.simulators.xai.answers import json_answer
from bitbylaw.simulators.xai.bodies import NewDocument, read_body
from bitbylaw.simulators.xai.config import Permission
from bitbylaw.simulators.xai.documents import DOCUMENT_ORDER
from bitbylaw.simulators.xai.model import Document
from bitbylaw.simulators.xai.paging import page_request
from bitbylaw.simulators.xai.rendering import Json, document_json
from bitbylaw.simulators.xai.world import World

_ALL = "/v1/collections/{collection_id}/documents"
_ONE = f"{_ALL}/{{file_id}}"


class DocumentRoutes:
    """The documents of a collection."""

    def __init__(self, world: World) -> None:
        self._world = world

    def add_to(self, app: web.Application) -> None:
        """Register the routes."""
        app.router.add_get(_ALL, self._list)
        app.router.add_get(f"{_ALL}:batchGet", self._show_several)
        app.router.add_post(_ONE, self._add)
        app.router.add_get(_ONE, self._show)
        app.router.add_patch(_ONE, self._index_again)
        app.router.add_delete(_ONE, self._remove)

    async def _list(self, request: web.Request) -> web.Response:
        asked = page_request(request.query, DOCUMENT_ORDER)
        world, collection_id = self._world, request.match_info["collection_id"]
        page = world.documents.page(collection_id, asked, _filter(request), world.config)
        token = "" if page.is_last and not world.config.token_on_last_page else page.token
        return json_answer({"documents": [self._json(item) for item in page.items], "pagination_token": token})

    async def _show_several(self, request: web.Request) -> web.Response:
        file_ids = request.query.getall("file_ids", [])
        found = self._world.documents.find_all(request.match_info["collection_id"], file_ids, self._world.config)
        return json_answer({"documents": [self._json(document) for document in found]})

    async def _add(self, request: web.Request) -> web.Response:
        require(Permission.ADD_FILE_TO_COLLECTION, self._world.config)
        body = await read_body(request, NewDocument)
        self._world.documents.add(*_ids(request), body, self._world.config)
        return json_answer({})

    async def _show(self, request: web.Request) -> web.Response:
        return json_answer(self._json(self._world.documents.find(*_ids(request), self._world.config)))

    async def _index_again(self, request: web.Request) -> web.Response:
        self._world.documents.index_again(*_ids(request), self._world.config)
        return json_answer({})

    async def _remove(self, request: web.Request) -> web.Response:
        self._world.documents.remove(*_ids(request), self._world.config)
        return json_answer({})

    def _json(self, document: Document) -> Json:
        return document_json(document, self._world.config)


def _ids(request: web.Request) -> tuple[str, str]:
    return request.match_info["collection_id"], request.match_info["file_id"]


def _filter(request: web.Request) -> str:
    """The filter, with the deprecated `name` parameter put into its words."""
    name = request.query.get("name", "").replace("\\", "\\\\").replace('"', '\\"')
    by_name = [f'name:"{name}"'] if name else []
    sent = request.query.get("filter", "")
    return " AND ".join([*by_name, *([f"({sent})"] if sent else [])])
