"""document-sync on the simulators: gateway and workers as processes of their own, both outside systems in the test.

`Firm` is everything a test needs: an EspoCRM whose signed webhooks go to a real gateway, a nats-server, an xAI, workers
to start, kill and stop, and `wrong`, which says what is wrong with a document by looking at both systems.
"""

import hashlib
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from tests.support.nats import NatsServer, connected
from tests.support.process import ROOT, die_with_parent, environment
from tests.support.services import Process, eventually

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.bus.dead_letters import DeadLetter
from bitbylaw.common.bus.topology import ensure_topology
from bitbylaw.simulators.espocrm import EspoConfig, EspoSimulator
from bitbylaw.simulators.espocrm.config import WebhookSettings
from bitbylaw.simulators.espocrm.store import Record
from bitbylaw.simulators.espocrm.webhooks.signature import signature
from bitbylaw.simulators.faults import RequestEntry
from bitbylaw.simulators.xai.config import XaiConfig
from bitbylaw.simulators.xai.model import StoredFile
from bitbylaw.simulators.xai.simulator import XaiSimulator

#: The worker with a hook between its steps.
INSTRUMENTED = ROOT / "tests" / "faults" / "worker.py"
READING = frozenset({"GET", "HEAD"})
#: Link attribute on a document, by the entity type it leads to.
LINKS = {"Raeumungsklage": "raeumungsklagesIds", "CBeteiligte": "cBeteiligtesIds", "Account": "accountId"}
#: Webhooks that a law firm registers, by the gateway's word for the entity.
WEBHOOKS = {"CDokumente": "document", "Raeumungsklage": "raeumungsklage", "Account": "account"}
#: Looks at xAI's processing come quickly in tests, and late uploads are not awaited for long; the rest is as delivered.
POLICIES = "[documents]\nlook_seconds = [0.2, 1.0]\nlate_upload_seconds = {late:.1f}\n"
LATE = 1.0

Owner = tuple[str, str]


class Step(msgspec.Struct, frozen=True):
    """A step that an instrumented worker was about to take; `at` in seconds of `time.monotonic`."""

    at: float
    pid: int
    name: str


class Firm:
    """A law firm's systems and ours; see the module."""

    def __init__(self, home: Path, nats: NatsServer, bus: Bus, espo: EspoSimulator, xai: XaiSimulator) -> None:
        self.home = home
        self.nats = nats
        self.bus = bus
        self.espo = espo
        self.xai = xai
        self.processes: list[Process] = []
        self._webhooks: dict[str, tuple[str, str]] = {}
        self._gateway = ""
        self._started = 0
        (home / "steps").mkdir()
        self.configure(LATE)

    def configure(self, late_upload_seconds: float) -> None:
        """How long workers started from now on wait for uploads that were cut."""
        (self.home / "bitbylaw.toml").write_text(POLICIES.format(late=late_upload_seconds), encoding="utf-8")

    # --- processes ---------------------------------------------------------------------------------------------------

    @property
    def environ(self) -> dict[str, str]:
        """What every process of ours is told."""
        return {
            "NATS_URL": self.nats.url,
            "ESPOCRM_API_BASE_URL": self.espo.api_url,
            "ESPOCRM_API_KEY": "sync-key",
            "XAI_API_KEY": self.xai.api_key,
            "XAI_MANAGEMENT_KEY": self.xai.management_key,
            "XAI_API_BASE_URL": self.xai.api_url,
            "XAI_MANAGEMENT_API_BASE_URL": self.xai.api_url,
            "DOCUMENT_SYNC_SPOOL": str(self.home / "spool"),
            "BITBYLAW_CONFIG": str(self.home / "bitbylaw.toml"),
            "STEPS": str(self.home / "steps"),
            "OPS_PORT": "0",
            "LOG_FORMAT": "json",
        }

    @asynccontextmanager
    async def process(self, name: str, *command: str, **changes: str) -> AsyncIterator[Process]:
        """A process of ours for the length of a block."""
        process = self._start(name, command, changes)
        try:
            yield process
        finally:
            process.kill()

    def _start(self, name: str, command: Sequence[str], changes: dict[str, str]) -> Process:
        self._started += 1
        log = self.home / f"{name}-{self._started}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(  # noqa: S603  (our own interpreter)
                [sys.executable, *command],
                env=environment(**{**self.environ, **changes}),
                cwd=ROOT,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,  # noqa: PLW1509  (one prctl call, nothing that takes a lock)
            )
        process = Process(popen, log)
        self.processes.append(process)
        return process

    @asynccontextmanager
    async def gateway(self, *, skip_own: bool) -> AsyncIterator[Process]:
        """The gateway, with every webhook registered and pointed at it."""
        for entity_type, word in WEBHOOKS.items():
            for action in ("create", "update", "delete"):
                url = f"http://127.0.0.1:1/vmh/webhook/{word}/{action}"
                webhook, secret = self.espo.register_webhook(
                    f"{entity_type}.{action}", url, "svc-sync", skip_own=skip_own
                )
                self._webhooks[f"{word}/{action}"] = (webhook, secret)
        secrets = ",".join(f"{webhook}:{secret}" for webhook, secret in self._webhooks.values())
        changes = {"ESPOCRM_WEBHOOK_SECRETS": secrets, "GATEWAY_PORT": "0", "GATEWAY_HOST": "127.0.0.1"}
        async with self.process("gateway", "-m", "bitbylaw.gateway", **changes) as process:
            port = (await process.said("gateway_ready"))["port"]
            self._gateway = f"http://127.0.0.1:{port}/vmh/webhook/"
            for webhook, _ in self._webhooks.values():
                url = str(_raw(self.espo, "Webhook", webhook).get("url"))
                self.espo.raw_change("Webhook", webhook, {"url": url.replace(":1/", f":{port}/")})
            yield process

    @asynccontextmanager
    async def worker(self, **changes: str) -> AsyncIterator[Process]:
        """document-sync as it is delivered, ready."""
        async with self.process("worker", "-m", "bitbylaw.document_sync", **changes) as process:
            await process.said("document_sync_ready")
            yield process

    @asynccontextmanager
    async def instrumented(self, tag: str = "", **changes: str) -> AsyncIterator[Process]:
        """document-sync with a hook between its steps: they are noted, and it can be told where to die."""
        async with self.process("instrumented", str(INSTRUMENTED), CLIENT_TAG=tag, **changes) as process:
            await process.said("document_sync_ready")
            yield process

    def kill_before(self, document: str, step: int) -> None:
        """Tell whichever instrumented worker comes to the document's step of this number to die before it."""
        (self.home / "steps" / f"{document}.kill").write_text(str(step), encoding="ascii")

    def was_killed(self, document: str) -> bool:
        """Whether an instrumented worker died where `kill_before` said."""
        return (self.home / "steps" / f"{document}.killed").exists()

    def steps(self, document: str) -> list[Step]:
        """The steps that instrumented workers took for a document."""
        file = self.home / "steps" / document
        lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
        return [Step(float(at), int(pid), name) for at, pid, name in (line.split() for line in lines)]

    # --- what people do ----------------------------------------------------------------------------------------------

    def owner(self, entity_type: str = "Raeumungsklage", name: str = "Müller ./. Schmidt") -> Owner:
        """A new Räumungsklage, person or account."""
        return entity_type, self.espo.create(entity_type, {"name": name})["id"]

    def document(
        self,
        content: bytes | None,
        *owners: Owner,
        name: str = "Klageschrift",
        file: str = "Räumungsklage größer.txt",
        mime: str = "text/plain",
        **values: object,
    ) -> str:
        """A new document with its file and links in one save; its id."""
        attachment = None if content is None else self.upload(content, file, mime)
        data = {"name": name, "dokumentId": attachment, **links(owners), **values}
        return str(self.espo.create("CDokumente", data)["id"])

    def upload(self, content: bytes, file: str, mime: str = "text/plain") -> str:
        """A new attachment that no record shows yet."""
        upload = {
            "name": file,
            "type": mime,
            "role": "Attachment",
            "relatedType": "CDokumente",
            "field": "dokument",
            "file": f"data:{mime};base64,{b64encode(content).decode()}",
        }
        return self.espo.core.records.create(self.espo.users["admin"], "Attachment", upload).id

    def replace(self, document: str, content: bytes, file: str = "Räumungsklage größer.txt", **values: object) -> None:
        """Somebody replaces the file, in one save with `values`."""
        attachment = self.upload(content, file, str(values.pop("mime", "text/plain")))
        self.espo.update("CDokumente", document, {"dokumentId": attachment, **values})

    def relink(self, document: str, *owners: Owner) -> None:
        """Somebody sets all links of a document by its fields."""
        empty: dict[str, object] = {"raeumungsklagesIds": [], "cBeteiligtesIds": [], "accountId": None}
        self.espo.update("CDokumente", document, {**empty, **links(owners)})

    def shown(self, document: str) -> dict[str, Any]:
        """The document as EspoCRM shows it."""
        return dict(self.espo.read("CDokumente", document))

    # --- what happens then -------------------------------------------------------------------------------------------

    async def deliver(self) -> int:
        """Let EspoCRM send its webhooks; how many POSTs it made. All of them have to be taken."""
        sent = 0
        while made := await self.espo.run_webhook_job():
            assert [delivery.code for delivery in made] == [200] * len(made)
            sent += len(made)
        return sent

    async def post_webhook(self, address: str, *ids: str) -> None:
        """One signed webhook with an element for each of `ids`, as EspoCRM would send it to `document/update`, say."""
        webhook, secret = self._webhooks[address]
        body = json.dumps([{"id": entity_id} for entity_id in ids]).encode()
        headers = {"Signature": signature(webhook, secret, body), "Content-Type": "application/json"}
        url = self._gateway + address
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
            assert answer.status == 200

    async def nats_pub(self, subject: str, payload: bytes) -> None:
        """What `nats pub` does: a plain publish without headers, nobody asked for an answer."""
        await self.bus.nc.publish(subject, payload)
        await self.bus.nc.flush()

    async def is_quiet(self) -> bool:
        """Whether nothing waits, is at work, or is scheduled for later."""
        before = await self.bus.js.stream_info("EVENTS", subjects_filter="retry.>")
        inbox = await self.bus.js.stream_info("INBOX")
        consumer = await self.bus.js.consumer_info("EVENTS", "document-sync")
        after = await self.bus.js.stream_info("EVENTS")
        waiting = bool(before.state.subjects) or inbox.state.messages or consumer.num_pending
        return not waiting and not consumer.num_ack_pending and before.state.last_seq == after.state.last_seq

    async def quiet(self, *, within: float = 40.0) -> None:
        """Return when nothing waits, is at work, or is scheduled for later."""
        await eventually(self.is_quiet, "quiet", within=within)

    async def settle(self, *, within: float = 40.0) -> None:
        """Deliver and wait until our own writes cause no more webhooks either."""
        await self.deliver()
        await self.quiet(within=within)
        while await self.deliver():
            await self.quiet(within=within)

    async def dead_letters(self, document: str = "") -> list[DeadLetter]:
        """The dead letters, those of `document` only if given."""
        info = await self.bus.js.stream_info("DEADLETTERS")
        found = []
        for sequence in range(info.state.first_seq, info.state.last_seq + 1 if info.state.messages else 0):
            message = await self.bus.js.get_msg("DEADLETTERS", sequence)
            letter = msgspec.json.decode(message.data or b"", type=DeadLetter)
            if document in letter.subject or document in letter.payload:
                found.append(letter)
        return found

    # --- what must be true -------------------------------------------------------------------------------------------

    def files(self, document: str) -> list[StoredFile]:
        """The files in xAI that were uploaded for a document and are still there."""
        return [file for file in self.xai.files if file.filename.startswith(document)]

    def uploads(self, document: str) -> list[StoredFile]:
        """Every file that was ever uploaded for a document."""
        return [file for file in self.xai.uploads if file.filename.startswith(document)]

    def collections(self, owner: Owner) -> list[str]:
        """The ids of the collections whose description names `owner`."""
        return [c.id for c in self.xai.collections if c.collection.description == f"EspoCRM {owner[0]}/{owner[1]}"]

    def members(self, file: str) -> set[str]:
        """The collections that a file is in."""
        return {collection.id for collection in self.xai.collections if file in collection.documents}

    def wrong(self, document: str) -> list[str]:
        """What is wrong with a document that should be in xAI (or, deleted or without link or file, should not)."""
        record = _raw(self.espo, "CDokumente", document)
        if record.deleted:
            return self._wrong_deleted(document)
        shown = self.shown(document)
        owners = owners_of(shown)
        if not owners or not shown["dokumentId"]:
            return self._wrong_unlinked(document, shown)
        return self._wrong_living(document, shown, owners)

    def _wrong_living(self, document: str, shown: dict[str, Any], owners: Collection[Owner]) -> list[str]:
        content = self.espo.file(shown["dokumentId"])
        sha256, md5 = hashlib.sha256(content).hexdigest(), hashlib.md5(content, usedforsecurity=False).hexdigest()
        files = self.files(document)
        if len(files) != 1:
            return [f"{len(files)} files of {document} in xAI, EspoCRM says {shown['xaiSyncStatus']}"]
        by_owner = {owner: self.collections(owner) for owner in owners}
        wanted = {collection for found in by_owner.values() for collection in found}
        expected = {
            "xaiSyncStatus": "clean",
            "xaiSyncError": None,
            "xaiId": files[0].id,
            "xaiCollections": sorted(wanted),
            "xaiSyncedHash": md5,
            "md5sum": md5,
            "sha256": sha256,
            "fileStatus": "synced",
        }
        faults = [
            f"{name} is {shown[name]!r}, not {value!r}" for name, value in expected.items() if shown[name] != value
        ]
        faults += [f"{owner} has {len(found)} collections" for owner, found in by_owner.items() if len(found) != 1]
        if files[0].sha256 != sha256 or self.xai.content(files[0].id) != content:
            faults.append("xAI has another content")
        if self.members(files[0].id) != wanted:
            faults.append(f"the file is in {self.members(files[0].id)}, not in {wanted}")
        return faults

    def _wrong_unlinked(self, document: str, shown: dict[str, Any]) -> list[str]:
        files = self.files(document)
        faults = [f"{document} is still in a collection" for file in files if self.members(file.id)]
        if len(files) > bool(shown["dokumentId"]):
            faults.append(f"{len(files)} files of {document}")
        if shown["xaiSyncStatus"] != "no_sync":
            faults.append(f"status {shown['xaiSyncStatus']}")
        return faults

    def _wrong_deleted(self, document: str) -> list[str]:
        files = self.files(document)
        faults = [f"{document} is still in a collection" for file in files if self.members(file.id)]
        return [*faults, f"{len(files)} files of {document}"] if len(files) > 1 else faults

    def right(self, *documents: str) -> None:
        """Everything is as it should be for `documents`."""
        faults = {document: faults for document in documents if (faults := self.wrong(document))}
        assert not faults, faults

    async def clean(self, *documents: str, within: float = 40.0) -> None:
        """Return when everything is as it should be for `documents`."""
        try:
            await eventually(lambda: not any(map(self.wrong, documents)), "clean", within=within)
        except AssertionError:
            self.right(*documents)
            raise

    def writes(self, document: str, *, since: float = 0.0) -> list[RequestEntry]:
        """The writing requests about a document or its files, by time of arrival from `since` on (monotonic)."""
        mine = [document, *(file.id for file in self.uploads(document))]
        entries = [*self.espo.log.matching(path=document), *self.xai.log.entries]
        return sorted(
            (
                entry
                for entry in entries
                if entry.method not in READING and entry.started >= since and any(part in entry.path for part in mine)
            ),
            key=lambda entry: entry.started,
        )


def links(owners: Iterable[Owner]) -> dict[str, object]:
    """The attributes of a document that link it to `owners`."""
    values: dict[str, object] = {}
    for entity_type, entity_id in owners:
        attribute = LINKS[entity_type]
        present = values.get(attribute)
        values[attribute] = entity_id if attribute == "accountId" else [*(present or []), entity_id]  # type: ignore[misc]  # a list, by the line above
    return values


def owners_of(shown: dict[str, Any]) -> list[Owner]:
    """The entities that a document is linked to."""
    found: list[Owner] = []
    for entity_type, attribute in LINKS.items():
        value = shown[attribute]
        found += [(entity_type, entity_id) for entity_id in ([value] if isinstance(value, str) else value or [])]
    return found


def _raw(espo: EspoSimulator, entity_type: str, record_id: str) -> Record:
    record = espo.raw(entity_type, record_id)
    assert record is not None
    return record


@asynccontextmanager
async def running(
    home: Path, *, espo: EspoConfig | None = None, xai: XaiConfig | None = None, skip_own: bool = True
) -> AsyncIterator[Firm]:
    """A firm with a gateway and no worker yet, for the length of a block."""
    webhooks = WebhookSettings(event_portion=10_000, allow_loopback=True)
    crm = msgspec.structs.replace(espo or EspoConfig(), webhooks=webhooks)
    nats = NatsServer(home / "nats")
    nats.start()
    try:
        async with (
            connected(nats) as bus,
            EspoSimulator.running(crm) as espocrm,
            XaiSimulator.running(xai or XaiConfig(processing_time=0.1)) as xai_simulator,
        ):
            await ensure_topology(bus, 1)
            firm = Firm(home, nats, bus, espocrm, xai_simulator)
            async with firm.gateway(skip_own=skip_own):
                yield firm
    finally:
        nats.kill()
