"""The simulator as tests and scripts hold it: a server with an address, and shortcuts to the same services."""

import asyncio
import shutil
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from aiohttp import web

from bitbylaw.simulators.espocrm.app import BASE, Door, build_app
from bitbylaw.simulators.espocrm.config import EspoConfig
from bitbylaw.simulators.espocrm.core import Core
from bitbylaw.simulators.espocrm.records import Formula
from bitbylaw.simulators.espocrm.rendering import Shown
from bitbylaw.simulators.espocrm.state import StateKeeper
from bitbylaw.simulators.espocrm.store import Record
from bitbylaw.simulators.espocrm.users import EspoUser
from bitbylaw.simulators.espocrm.webhooks.job import Delivery
from bitbylaw.simulators.espocrm.webhooks.queue import QueueItem
from bitbylaw.simulators.espocrm.webhooks.sender import Deliver
from bitbylaw.simulators.faults import FaultPlan, RequestLog
from bitbylaw.simulators.server import serve

PERSON = "admin"
"""Who acts in the shortcuts when nobody else is named: a person, not the product."""


class EspoSimulator:
    """One simulated EspoCRM. `faults` and `log` are those of its server; `url` is the site, `api_url` its REST API."""

    def __init__(self, config: EspoConfig | None = None) -> None:
        self.core = Core(config or EspoConfig())
        self.faults = FaultPlan()
        self.log = RequestLog()
        self._door = Door(self.core)
        self.app, _ = build_app(self.core, self._door, self.faults, self.log)
        self.app.cleanup_ctx.append(self._background)
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def running(
        cls, config: EspoConfig | None = None, port: int = 0, host: str = "127.0.0.1"
    ) -> AsyncIterator[Self]:
        """Run a simulator until the block ends; port 0 takes a free one."""
        simulator = cls(config)
        async with serve(simulator.app, port, host) as server:
            simulator.url = server.url
            yield simulator

    @property
    def api_url(self) -> str:
        """The base of the REST API, as `ESPOCRM_API_BASE_URL` wants it."""
        return self.url + BASE

    @property
    def users(self) -> dict[str, EspoUser]:
        """The users by user name."""
        return self.core.users

    def set_maintenance(self, *, on: bool) -> None:
        """Switch maintenance mode, in which everything is answered 503."""
        self._door.maintenance = on

    def install_link_hook(self) -> None:
        """Emulate the custom PHP hook of sample 14 from now on."""
        self.core.install_link_hook()

    def create(self, entity_type: str, data: Mapping[str, Any], user: str = PERSON) -> Shown:
        """Make a record as this user and return it whole; duplicates are not looked for. Raises `EspoError`."""
        record = self.core.records.create(self.users[user], entity_type, data, skip_duplicate_check=True)
        return self.core.rendering.full(record)

    def update(self, entity_type: str, record_id: str, data: Mapping[str, Any], user: str = PERSON) -> Shown:
        """Change a record as this user and return it whole. Raises `EspoError`."""
        record = self.core.records.update(self.users[user], entity_type, record_id, data)
        return self.core.rendering.full(record)

    def read(self, entity_type: str, record_id: str, user: str = PERSON) -> Shown:
        """A whole record as this user sees it. Raises `EspoError`."""
        return self.core.rendering.full(self.core.records.read(self.users[user], entity_type, record_id))

    def delete(self, entity_type: str, record_id: str, user: str = PERSON) -> None:
        """Delete a record as this user. Raises `EspoError`."""
        self.core.records.delete(self.users[user], entity_type, record_id)

    def restore(self, entity_type: str, record_id: str) -> None:
        """Bring a deleted record back. Raises `EspoError`."""
        self.core.records.restore(self.users[PERSON], entity_type, record_id)

    def link(self, entity_type: str, record_id: str, link: str, *ids: str, user: str = PERSON) -> None:
        """Link records as this user, as the UI's panels do. Raises `EspoError`."""
        self.core.links.link(self.users[user], entity_type, record_id, link, {"ids": list(ids)})

    def unlink(self, entity_type: str, record_id: str, link: str, *ids: str, user: str = PERSON) -> None:
        """Unlink records as this user. Raises `EspoError`."""
        self.core.links.unlink(self.users[user], entity_type, record_id, link, {"ids": list(ids)})

    def attach(
        self,
        entity_type: str,
        record_id: str,
        field: str,
        name: str,
        content: bytes,
        mime_type: str = "application/octet-stream",
        user: str = PERSON,
    ) -> str:
        """Upload a file and make it the content of a record's file field; return the attachment's id."""
        upload = {
            "name": name,
            "type": mime_type,
            "role": "Attachment",
            "relatedType": entity_type,
            "field": field,
            "file": f"data:{mime_type};base64,{b64encode(content).decode()}",
        }
        attachment = self.core.records.create(self.users[user], "Attachment", upload)
        self.core.records.update(self.users[user], entity_type, record_id, {f"{field}Id": attachment.id})
        return attachment.id

    def file(self, attachment_id: str) -> bytes:
        """The content of an attachment. Raises `FileNotFoundError`."""
        return self.core.blobs.read(attachment_id)

    def raw(self, entity_type: str, record_id: str) -> Record | None:
        """The stored record itself, also a deleted one; None when it never was."""
        return self.core.store.tables[entity_type].records.get(record_id)

    def raw_change(self, entity_type: str, record_id: str, values: Mapping[str, Any]) -> None:
        """Change stored values like an SQL statement: no version, no event, no rule."""
        self.core.store.change(self.core.store.tables[entity_type].records[record_id], dict(values))

    def register_webhook(self, event: str, url: str, user: str, *, skip_own: bool = False) -> tuple[str, str]:
        """Register a webhook as this user; return its id and its secret key. Raises `EspoError`."""
        data = {"event": event, "url": url, "skipOwn": skip_own}
        record = self.core.records.create(self.users[user], "Webhook", data)
        return record.id, str(record.get("secretKey"))

    def allow_webhook_address(self, address: str) -> None:
        """Let an internal `host:port` receive webhooks."""
        self.core.addresses.allow(address)

    def forbid_webhook_address(self, address: str) -> None:
        """Stop letting an internal `host:port` receive webhooks."""
        self.core.addresses.forbid(address)

    def add_formula(self, entity_type: str, formula: Formula) -> None:
        """Run this before every save of an entity type, as the user who saves."""
        self.core.records.formulas.setdefault(entity_type, []).append(formula)

    def deliver_with(self, deliver: Deliver) -> None:
        """Send webhooks in another way than over HTTP."""
        self.core.job.deliver = deliver

    async def run_webhook_job(self) -> list[Delivery]:
        """Run the job `ProcessWebhookQueue` once and return the POSTs it made."""
        return await self.core.job.run()

    @property
    def webhook_items(self) -> list[QueueItem]:
        """The items of the webhook queue, finished ones included, by number."""
        return self.core.queue.items()

    @property
    def waiting_events(self) -> int:
        """How many events wait to be fanned out to webhooks."""
        return len(self.core.queue.events)

    async def _background(self, _app: web.Application) -> AsyncIterator[None]:
        """Load the state, run what runs by itself, and save the state at the end."""
        config = self.core.config
        keeper = StateKeeper(self.core, config.state_dir) if config.state_dir is not None else None
        tasks: list[asyncio.Task[None]] = []
        if keeper is not None:
            keeper.load()
            tasks.append(asyncio.create_task(keeper.keep_saving(config.snapshot_interval)))
        if config.webhooks.interval is not None:
            tasks.append(asyncio.create_task(self._run_job_every(config.webhooks.interval)))
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if keeper is not None:
            await keeper.save()
        shutil.rmtree(self.core.scratch, ignore_errors=True)

    async def _run_job_every(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self.run_webhook_job()
