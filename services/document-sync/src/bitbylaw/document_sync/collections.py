"""The collection of an entity (Räumungsklage, person, account): found or created once, whoever asks.

It is created under the owner's lease, so that ten documents of one Räumungsklage, on any number of replicas, make one
collection. Both directions are kept: the collection's description names the entity, the entity keeps the collection's
id (where its CRM record has a field for it), and our journal has it too.
"""

from collections.abc import Callable

import msgspec

from bitbylaw.common.actors.journal import Journal, Journals
from bitbylaw.common.actors.lease import Lease
from bitbylaw.common.actors.leases import Leases
from bitbylaw.common.errors import ConfigurationError, NotFound
from bitbylaw.common.espocrm.client import EspoClient
from bitbylaw.common.events import EntityRef
from bitbylaw.common.http.client import write_guard
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.document_sync.client import XaiClient
from bitbylaw.document_sync.mapping import back_reference, collection_name, read_back_reference, read_owner
from bitbylaw.document_sync.model import CollectionIntent, Owner, OwnerRecord
from bitbylaw.document_sync.policies import DocumentPolicies, OwnerLink, Values

#: Collections remembered in the process, so that a thousand documents of one account ask once.
_REMEMBERED = 10_000

log = get_logger("collections")


class Ensured(msgspec.Struct, frozen=True):
    """A collection that exists, and whether this call made it."""

    id: str
    created: bool = False


class Collections:
    """Finds or creates the collections of owners."""

    def __init__(
        self,
        policies: DocumentPolicies,
        espo: EspoClient,
        xai: XaiClient,
        journals: Journals[OwnerRecord],
        leases: Leases,
    ) -> None:
        self._policies = policies
        self._espo = espo
        self._xai = xai
        self._journals = journals
        self._leases = leases
        self._known: dict[EntityRef, str] = {}

    async def ensure(self, owner: EntityRef, *, verify: bool = False) -> Ensured | None:
        """The collection of `owner`, None if EspoCRM has no such entity. Waits for the owner's lease.

        `verify` asks xAI whether a known collection still exists, and makes it anew if not.

        Raises:
            LeaseLost: the owner's lease, or the one of the run that asks, is over.
            BitByLawError: a system did not do its part.
        """
        known = self._known.get(owner)
        if known is not None and not verify:
            return Ensured(known)
        asking = write_guard.get()
        async with self._leases.hold(owner) as lease:
            token = write_guard.set(_both(asking, lease.guard))
            try:
                return await self.ensure_under(lease, verify=verify)
            finally:
                write_guard.reset(token)

    async def ensure_under(self, lease: Lease, *, verify: bool = False) -> Ensured | None:
        """The same for the owner whose lease the caller already holds."""
        link = self._link(lease.entity)
        self._known.pop(lease.entity, None)
        try:
            owner = await self._read(lease.entity, link)
        except NotFound:
            return None
        journal = await self._journals.open(owner.ref, lease.guard)
        ensured = await self._existing(owner, journal, verify=verify) or await self._create(owner, journal)
        await journal.save(OwnerRecord(collection_id=ensured.id))
        if owner.has_field and owner.collection_id != ensured.id:
            await self._espo.update(owner.ref, {link.collection_field: ensured.id})
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[owner.ref] = ensured.id
        return ensured

    async def _existing(self, owner: Owner, journal: Journal[OwnerRecord], *, verify: bool) -> Ensured | None:
        known = owner.collection_id or journal.record.collection_id
        if known is not None and (not verify or await self._xai.collection(known) is not None):
            return Ensured(known)
        # Without a field in the CRM our journal is the only memory, and it may be lost: look before creating.
        if journal.record.intent is None and owner.has_field:
            return None
        async for collection in self._xai.collections():
            if read_back_reference(collection.description) == owner.ref:
                log.info("collection_found", owner=owner.ref.key, collection=collection.id)
                return Ensured(collection.id)
        return None

    async def _create(self, owner: Owner, journal: Journal[OwnerRecord]) -> Ensured:
        name = collection_name(owner)
        await journal.save(OwnerRecord(intent=CollectionIntent(name)))
        collection = await self._xai.create_collection(name, back_reference(owner.ref))
        log.info("collection_created", owner=owner.ref.key, collection=collection.id)
        return Ensured(collection.id, created=True)

    async def _read(self, owner: EntityRef, link: OwnerLink) -> Owner:
        return read_owner(Values(await self._espo.read(owner)), link)

    def _link(self, owner: EntityRef) -> OwnerLink:
        link = self._policies.owner_link(owner.type)
        if link is None:
            raise ConfigurationError([f"[documents] owners: {owner.type} has no collections"])
        return link


def _both(first: Callable[[], None] | None, second: Callable[[], None]) -> Callable[[], None]:
    def guard() -> None:
        if first is not None:
            first()
        second()

    return guard
