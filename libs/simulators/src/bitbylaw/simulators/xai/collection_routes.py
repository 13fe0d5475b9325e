"""The collection routes of the management host, `management-api.x.ai` (reference, Collections REST)."""

from aiohttp import web

from bitbylaw.simulators.xai.answers import json_answer
from bitbylaw.simulators.xai.bodies import CollectionChange, NewCollection, read_body
from bitbylaw.simulators.xai.catalogue import COLLECTION_ORDER
from bitbylaw.simulators.xai.model import Collection
from bitbylaw.simulators.xai.paging import page_request
from bitbylaw.simulators.xai.rendering import Json, collection_json
from bitbylaw.simulators.xai.world import World


class CollectionRoutes:
    """Collections, without what is in them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def add_to(self, app: web.Application) -> None:
        """Register the routes."""
        app.router.add_post("/v1/collections", self._create)
        app.router.add_get("/v1/collections", self._list)
        app.router.add_get("/v1/collections/{collection_id}", self._show)
        app.router.add_put("/v1/collections/{collection_id}", self._change)
        app.router.add_delete("/v1/collections/{collection_id}", self._delete)

    async def _create(self, request: web.Request) -> web.Response:
        body = await read_body(request, NewCollection)
        return json_answer(self._json(self._world.catalogue.create(body, self._world.config)))

    async def _list(self, request: web.Request) -> web.Response:
        asked = page_request(request.query, COLLECTION_ORDER)
        page = self._world.catalogue.page(asked, request.query.get("filter", ""))
        token = "" if page.is_last and not self._world.config.token_on_last_page else page.token
        return json_answer({"collections": [self._json(item) for item in page.items], "pagination_token": token})

    async def _show(self, request: web.Request) -> web.Response:
        return json_answer(self._json(self._world.catalogue.find(request.match_info["collection_id"])))

    async def _change(self, request: web.Request) -> web.Response:
        body = await read_body(request, CollectionChange)
        return json_answer(self._json(self._world.catalogue.change(request.match_info["collection_id"], body)))

    async def _delete(self, request: web.Request) -> web.Response:
        rule = self._world.config.non_empty_collection_deletion
        self._world.catalogue.delete(request.match_info["collection_id"], rule)
        return json_answer({})

    def _json(self, collection: Collection) -> Json:
        return collection_json(collection, list(self._world.library.documents(collection.id).values()))
