"""The REST API's handlers: each takes a call of a known user and answers it (reference 3)."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from bitbylaw.simulators.espocrm import downloads, php_json
from bitbylaw.simulators.espocrm.app_user import app_user
from bitbylaw.simulators.espocrm.attachments import AttachmentRules, decode_data_url
from bitbylaw.simulators.espocrm.core import Core
from bitbylaw.simulators.espocrm.errors import EspoError, bad_request, forbidden, not_found
from bitbylaw.simulators.espocrm.http import Speaker, body_of
from bitbylaw.simulators.espocrm.metadata import at_key, metadata
from bitbylaw.simulators.espocrm.notes import stream_row
from bitbylaw.simulators.espocrm.openapi import openapi
from bitbylaw.simulators.espocrm.records import UpdateOptions
from bitbylaw.simulators.espocrm.rendering import selected
from bitbylaw.simulators.espocrm.schema import EntityType, Role
from bitbylaw.simulators.espocrm.search.params import list_query
from bitbylaw.simulators.espocrm.store import Record
from bitbylaw.simulators.espocrm.users import Action, EspoUser


class Call(msgspec.Struct, frozen=True):
    """A request whose sender is known."""

    user: EspoUser
    request: web.Request

    def part(self, name: str) -> str:
        """A variable part of the path."""
        return self.request.match_info[name]

    @property
    def query(self) -> dict[str, Any]:
        """The query string as PHP reads it."""
        return php_json.parse_query(self.request.raw_path.partition("?")[2])


ApiHandler = Callable[[Call], Awaitable[web.StreamResponse]]


class Api:
    """The handlers; they translate between HTTP and the services of `Core`."""

    def __init__(self, core: Core, speaker: Speaker) -> None:
        self._core = core
        self._speaker = speaker

    def _answer(self, value: Any, status: int = HTTPStatus.OK) -> web.Response:
        return self._speaker.json(value, self._core.config.clock(), status)

    async def read(self, call: Call) -> web.StreamResponse:
        """`GET {Entity}/{id}`; `select` is ignored (reference 3)."""
        record = self._core.records.read(call.user, call.part("entity"), call.part("id"))
        return self._answer(self._core.rendering.full(record))

    async def head(self, call: Call) -> web.StreamResponse:
        """`HEAD` is answered like an action that is not there (sample 06)."""
        entity = self._core.records.entity_type(call.part("entity")).name
        raise not_found(f"Action HEAD 'read' does not exist in controller '{entity}'.")

    async def create(self, call: Call) -> web.StreamResponse:
        """`POST {Entity}`: 200 with what was set; 201 for a webhook (sample 13)."""
        name = call.part("entity")
        skip = call.request.headers.get("X-Skip-Duplicate-Check") == "true"
        data = await body_of(call.request)
        record = self._core.records.create(call.user, name, data, skip_duplicate_check=skip)
        status = HTTPStatus.CREATED if name == "Webhook" else HTTPStatus.OK
        return self._answer(self._core.rendering.created(record), status)

    async def update(self, call: Call) -> web.StreamResponse:
        """`PUT` and `PATCH {Entity}/{id}`, both partial, answered with the whole record."""
        name, record_id = call.part("entity"), call.part("id")
        data = await body_of(call.request)
        stale = self._attachment_types(name, record_id)
        options = UpdateOptions(version=call.request.headers.get("X-Version-Number"))
        record = self._core.records.update(call.user, name, record_id, data, options)
        # The answer's `…Types` are those from before the save: EspoCRM has loaded them by then (samples 05.10, 11).
        return self._answer({**self._core.rendering.full(record), **stale})

    async def delete(self, call: Call) -> web.StreamResponse:
        """`DELETE {Entity}/{id}`."""
        self._core.records.delete(call.user, call.part("entity"), call.part("id"))
        return self._answer(value=True)

    async def restore(self, call: Call) -> web.StreamResponse:
        """`POST {Entity}/action/restoreDeleted`."""
        data = await body_of(call.request)
        self._core.records.restore(call.user, call.part("entity"), str(data.get("id")))
        return self._answer(value=True)

    async def list_records(self, call: Call) -> web.StreamResponse:
        """`GET {Entity}`."""
        entity_type = self._core.records.entity_type(call.part("entity"))
        if not call.user.may(entity_type.name, Action.READ):
            raise forbidden("No read access.")
        return self._page(call, entity_type, None)

    async def related(self, call: Call) -> web.StreamResponse:
        """`GET {Entity}/{id}/{link}`, and the record's stream."""
        if call.part("link") == "stream":
            return self._stream(call)
        entity_type, records = self._core.links.related(
            call.user, call.part("entity"), call.part("id"), call.part("link")
        )
        return self._page(call, entity_type, records)

    async def link(self, call: Call) -> web.StreamResponse:
        """`POST {Entity}/{id}/{link}`."""
        data = await body_of(call.request)
        done = self._core.links.link(call.user, call.part("entity"), call.part("id"), call.part("link"), data)
        return self._answer(done)

    async def unlink(self, call: Call) -> web.StreamResponse:
        """`DELETE {Entity}/{id}/{link}`, with a body."""
        data = await body_of(call.request)
        done = self._core.links.unlink(call.user, call.part("entity"), call.part("id"), call.part("link"), data)
        return self._answer(done)

    async def mass_action(self, call: Call) -> web.StreamResponse:
        """`POST MassAction`: one update or deletion per record, each with its webhook event (sample 11)."""
        data = await body_of(call.request)
        name, action = str(data.get("entityType")), data.get("action")
        ids = data.get("params", {}).get("ids")
        if action not in {"update", "delete"} or not isinstance(ids, list):
            raise bad_request("Not supported mass action.")
        known = [i for i in ids if self._core.store.tables[self._core.records.entity_type(name).name].find(i)]
        for record_id in known:
            if action == "update":
                values = data.get("data", {}).get("values", {})
                self._core.records.update(call.user, name, record_id, values, UpdateOptions(mass=True))
            else:
                self._core.records.delete(call.user, name, record_id)
        return self._answer({"count": len(known), "ids": known})

    async def file(self, call: Call) -> web.StreamResponse:
        """`GET Attachment/file/{id}`."""
        attachment, content = self._file(call.user, call.part("id"))
        wanted = call.request.headers.get("Range")
        return downloads.download(self._speaker, attachment, content, wanted, self._core.config.clock())

    async def entry_point(self, call: Call) -> web.StreamResponse:
        """`GET /?entryPoint=download&id=`."""
        if call.query.get("entryPoint") != "download":
            raise EspoError(HTTPStatus.NOT_FOUND, html=True)
        attachment, content = self._file(call.user, str(call.query.get("id")))
        return downloads.entry_point(attachment, content)

    async def chunk(self, call: Call) -> web.StreamResponse:
        """`POST Attachment/chunk/{id}` with a data URL as the body, whatever the content type says."""
        attachment = self._core.records.find(call.user, "Attachment", call.part("id"), Action.EDIT)
        content = decode_data_url((await call.request.read()).decode("ascii", "replace"))
        rules = self._core.records.rules("Attachment")
        if isinstance(rules, AttachmentRules):
            rules.add_chunk(call.user, attachment, content)
        return self._answer(value=True)

    async def metadata(self, call: Call) -> web.StreamResponse:
        """`GET Metadata?key=…`; an unknown key is answered 200 with an empty body."""
        tree, key = metadata(self._core.config.schema), call.query.get("key")
        part = tree if key is None else at_key(tree, key)
        if part is None:
            return self._speaker.raw(b"", self._core.config.clock())
        return self._answer(part)

    async def app_user(self, call: Call) -> web.StreamResponse:
        """`GET App/user`."""
        return self._answer(app_user(call.user, self._core.config.schema, call.request.remote or ""))

    async def openapi(self, call: Call) -> web.StreamResponse:
        """`GET OpenApi`."""
        del call
        return self._speaker.raw(php_json.encode_pretty(openapi(self._core.config.schema)), self._core.config.clock())

    def _page(self, call: Call, entity_type: EntityType, among: list[Record] | None) -> web.Response:
        query = list_query(entity_type, call.query, self._core.config.list_limit)
        rules, user = self._core.records.rules(entity_type.name), call.user
        special = entity_type.name in {"Webhook", "Attachment"}
        page = self._core.listing.page(
            entity_type,
            query,
            among=among,
            visible=(lambda record: rules.may(user, record, Action.READ)) if special else None,
            no_total=call.request.headers.get("X-No-Total") == "true",
        )
        select = selected(entity_type, query.select, query.order_by)
        rows = [self._core.rendering.row(record, select) for record in page.records]
        return self._answer({"total": page.total, "list": rows})

    def _stream(self, call: Call) -> web.Response:
        record = self._core.records.read(call.user, call.part("entity"), call.part("id"))
        query = list_query(self._core.records.entity_type("Note"), call.query, self._core.config.list_limit)
        notes = self._core.notes.of(record)
        shown = [stream_row(self._core.rendering, note) for note in notes[query.offset : query.offset + query.max_size]]
        return self._answer({"total": len(notes), "list": shown, "pinnedList": []})

    def _file(self, user: EspoUser, attachment_id: str) -> tuple[Record, bytes | Path]:
        attachment = self._core.store.tables["Attachment"].find(attachment_id)
        content = self._core.blobs.where(attachment_id) if attachment is not None else None
        if attachment is None or content is None:
            raise EspoError(HTTPStatus.NOT_FOUND, "", html=True)
        if not self._core.records.rules("Attachment").may(user, attachment, Action.READ):
            raise EspoError(HTTPStatus.FORBIDDEN, "No 'read' access.", html=True)
        return attachment, content

    def _attachment_types(self, name: str, record_id: str) -> dict[str, Any]:
        table = self._core.store.tables.get(name)
        record = table.find(record_id) if table is not None else None
        if record is None:
            return {}
        loaded = [a for a in record.entity_type.attributes.values() if a.role is Role.LOADED and "Types" in a.name]
        return {a.name: self._core.rendering.value(record, a) for a in loaded}
