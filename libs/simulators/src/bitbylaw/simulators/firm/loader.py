"""Put the firm into an EspoCRM over its REST API, as a user would (reference 3 to 5); what is there already stays."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import aiohttp
import msgspec

from bitbylaw.simulators.firm.crm import Crm, LoadFailed
from bitbylaw.simulators.firm.model import Account, Firm, FirmDocument, Klage, Person

__all__ = ["LoadFailed", "LoadProgress", "LoadedFirm", "load"]

CONCURRENT_REQUESTS = 8


class LoadProgress(msgspec.Struct, frozen=True):
    """How far the load is: `done` of `total` records are there, the last of them is `name`."""

    done: int
    total: int
    name: str


class LoadedFirm(msgspec.Struct, frozen=True):
    """The EspoCRM ids of everything, by the firm's keys; `created` counts what was not there before."""

    accounts: dict[str, str]
    klagen: dict[str, str]
    persons: dict[str, str]
    documents: dict[str, str]
    created: int


OnProgress = Callable[[LoadProgress], None]
_Create = Callable[[], Awaitable[str]]


async def load(
    firm: Firm,
    base_url: str,
    api_key: str,
    *,
    on_progress: OnProgress | None = None,
    document_values: Mapping[str, Any] | None = None,
) -> LoadedFirm:
    """Create everything of the firm that is not there yet, recognised by its name.

    `base_url` ends in `/api/v1`; `document_values` are further attributes for every new document. Raises `LoadFailed`
    when EspoCRM refuses something and `aiohttp.ClientError` when it does not answer; a second call goes on from there.
    """
    headers = {"X-Api-Key": api_key}
    connector = aiohttp.TCPConnector(limit=CONCURRENT_REQUESTS)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        loading = _Loading(Crm(session, base_url), firm, on_progress or (lambda _progress: None))
        return await loading.run(document_values or {})


class _Loading:
    """One load."""

    def __init__(self, crm: Crm, firm: Firm, on_progress: OnProgress) -> None:
        self._crm = crm
        self._firm = firm
        self._on_progress = on_progress
        self._total = len(firm.accounts) + len(firm.klagen) + len(firm.persons) + len(firm.documents)
        self._done = 0
        self._created = 0

    async def run(self, document_values: Mapping[str, Any]) -> LoadedFirm:
        """Owners first, then the documents, which need their ids."""
        accounts, klagen, persons = await asyncio.gather(
            self._all("Account", self._firm.accounts, _account_values),
            self._all("Raeumungsklage", self._firm.klagen, _klage_values),
            self._all("CBeteiligte", self._firm.persons, _person_values),
        )
        owners = {**accounts, **klagen, **persons}
        there = await self._crm.ids_by_name("CDokumente")

        def create(document: FirmDocument) -> _Create:
            return lambda: self._create_document(document, owners, document_values)

        jobs = [self._one(d.key, d.name, there, create(d)) for d in self._firm.documents]
        documents = dict(await _together(jobs))
        return LoadedFirm(accounts, klagen, persons, documents, self._created)

    async def _all(
        self, entity_type: str, items: Iterable[Any], values: Callable[[Any], Mapping[str, Any]]
    ) -> dict[str, str]:
        there = await self._crm.ids_by_name(entity_type)

        def create(item: Any) -> _Create:
            return lambda: self._crm.create(entity_type, values(item))

        return dict(await _together([self._one(item.key, item.name, there, create(item)) for item in items]))

    async def _one(self, key: str, name: str, there: Mapping[str, str], create: _Create) -> tuple[str, str]:
        record_id = there.get(name)
        if record_id is None:
            record_id = await create()
            self._created += 1
        self._done += 1
        self._on_progress(LoadProgress(self._done, self._total, name))
        return key, record_id

    async def _create_document(self, document: FirmDocument, owners: Mapping[str, str], more: Mapping[str, Any]) -> str:
        attachment_id = await self._crm.create("Attachment", _attachment_values(document))
        values = _document_values(document, owners) | {"dokumentId": attachment_id} | dict(more)
        return await self._crm.create("CDokumente", values)


async def _together(jobs: list[Any]) -> list[tuple[str, str]]:
    """Run all; the connector limits how many talk at once. The first failure stops the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
    except* (LoadFailed, aiohttp.ClientError) as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _account_values(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "emailAddress": account.email,
        "phoneNumber": account.phone,
        "billingAddressStreet": account.street,
        "billingAddressPostalCode": account.postal_code,
        "billingAddressCity": account.city,
    }


def _klage_values(klage: Klage) -> dict[str, Any]:
    return {"name": klage.name, "aktenzeichen": klage.aktenzeichen, "status": klage.status}


def _person_values(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "vorname": person.first_name,
        "nachname": person.last_name,
        "geburtsdatum": person.born_on.isoformat(),
        "emailAddress": person.email,
        "phoneNumber": person.phone,
    }


def _attachment_values(document: FirmDocument) -> dict[str, Any]:
    return {
        "name": document.filename,
        "type": document.mime,
        "role": "Attachment",
        "relatedType": "CDokumente",
        "field": "dokument",
        "file": f"data:{document.mime};base64,{b64encode(document.content).decode()}",
    }


def _document_values(document: FirmDocument, owners: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": document.name,
        "dokumentDatum": document.writing.written_on.isoformat(),
        "schlagworte": [document.keyword],
        "accountId": owners[document.account] if document.account else None,
        "raeumungsklagesIds": [owners[key] for key in document.klagen],
        "cBeteiligtesIds": [owners[key] for key in document.persons],
    }
