"""The webhook routes: authenticate, read, store, and only then say yes.

What EspoCRM does with an answer decides ours (reference espocrm.md, 1): a 2xx ends the batch, 401 and 503 bring it
back, 400 and 413 end it for good, so these are only given where no repetition could help, after a dead letter.
"""

import asyncio
import hmac
from datetime import UTC, datetime
from functools import partial

import msgspec
from aiohttp import web

from bitbylaw.common.bus.dead_letters import DeadLetter, dead_letter, dead_letter_message
from bitbylaw.common.bus.publisher import Publisher, event_message
from bitbylaw.common.errors import BusUnavailable, EventInvalid
from bitbylaw.common.events import Action, Kind
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.common.telemetry.metrics import Metrics, WebhookOutcome
from bitbylaw.common.telemetry.trace import TraceParent
from bitbylaw.gateway.batch import Address, Batch, read_batch
from bitbylaw.gateway.settings import Settings, WebhookAuth
from bitbylaw.gateway.signature import SignatureCheck, secrets_by_id

SERVICE = "gateway"
#: Seconds a sender may take for its body; EspoCRM gives up after 10 in all.
BODY_TIMEOUT = 10.0
#: Bytes of an oversized body that are still read, to learn whether it is authentic and leave a dead letter.
HARD_LIMIT = 64 * 1024 * 1024

WEBHOOK_ACTIONS = (Action.CREATE, Action.UPDATE, Action.DELETE)
LINK_ACTIONS = (Action.LINK, Action.UNLINK)

log = get_logger("webhooks")


class RejectedElement(msgspec.Struct, frozen=True):
    """A rejected element in the answer."""

    index: int
    error: str


class Received(msgspec.Struct, frozen=True):
    """The answer of the Contract to a webhook."""

    status: str
    action: Action
    new_ids_count: int
    total_ids_in_batch: int
    rejected: list[RejectedElement]


class TooLarge(Exception):
    """The body passed the limit after `size` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"body of {size} bytes or more is over the limit")
        self.size = size


class Webhooks:
    """Takes EspoCRM's webhooks in."""

    def __init__(self, settings: Settings, *, events: Publisher, dead_letters: Publisher, metrics: Metrics) -> None:
        self._auth = settings.webhook_auth
        self._secrets = secrets_by_id(settings.webhook_secrets)
        self._keys = [key.encode() for _, key in settings.api_keys]
        self._max_body = settings.max_body_bytes
        self._events = events
        self._dead_letters = dead_letters
        self._metrics = metrics

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Put the routes of the Contract into `router`."""
        for kind in Kind:
            for action in WEBHOOK_ACTIONS:
                router.add_post(f"/vmh/webhook/{kind}/{action}", partial(self.receive, Address(action, kind)))
        for action in LINK_ACTIONS:
            router.add_post(f"/vmh/webhook/entity/{action}", partial(self.receive, Address(action)))

    async def receive(self, address: Address, request: web.Request) -> web.Response:
        """One webhook: 200 when everything usable in it is stored."""
        check = SignatureCheck(request.headers, self._secrets)
        if not self._may_enter(request, check):
            return self._unauthorized(address, check)
        try:
            body = await self._read(request, check)
        except TooLarge as error:
            return await self._too_large(address, check, error)
        except TimeoutError:
            return _error(408, "the body did not arrive in time")
        if not self._authentic(check):
            return self._unauthorized(address, check)
        trace = TraceParent.parse(request.headers.get("traceparent")) or TraceParent.new()
        return await self._take(request, body, address, trace)

    async def _take(self, request: web.Request, body: bytes, address: Address, trace: TraceParent) -> web.Response:
        if address.kind is None:
            address = msgspec.structs.replace(address, owner_type=request.query.get("entityType"))
        try:
            batch = read_batch(body, address, now=datetime.now(UTC), trace=trace)
        except EventInvalid as error:
            letter = _whole(address, error, trace, size=len(body))
            return await self._refuse(address, letter, _error(400, str(error)))
        try:
            await self._events.publish([event_message(event) for event in batch.events])
            await self._dead_letters.publish(
                [dead_letter_message(letter) for letter in _letters(batch, address, trace)]
            )
        except BusUnavailable as error:
            return self._unavailable(address, error)
        return self._received(address, batch, trace)

    # --- authentication ----------------------------------------------------------------------------------------------

    def _may_enter(self, request: web.Request, check: SignatureCheck) -> bool:
        """Whether the body is worth reading."""
        match self._auth:
            case WebhookAuth.NONE:
                return True
            case WebhookAuth.SIGNATURE:
                return check.claim is not None
            case WebhookAuth.API_KEY:
                given = request.headers.get("X-Api-Key", "").encode()
                matches = [hmac.compare_digest(given, key) for key in self._keys]
                return any(matches)

    def _authentic(self, check: SignatureCheck) -> bool:
        return self._auth is not WebhookAuth.SIGNATURE or check.holds()

    async def _read(self, request: web.Request, check: SignatureCheck) -> bytes:
        """The body, signature checked on the way.

        Raises:
            TooLarge: after reading on to learn whether it is authentic.
            TimeoutError: it did not come in time.
        """
        if request.content.is_eof():
            # Most bodies are short and came with their headers: neither clock nor loop is needed.
            body = request.content.read_nowait()
            check.update(body)
            if len(body) > self._max_body:
                raise TooLarge(len(body))
            return body
        kept: list[bytes] = []
        size = 0
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.content.iter_any():
                check.update(chunk)
                size += len(chunk)
                if size <= self._max_body:
                    kept.append(chunk)
                elif size > HARD_LIMIT:
                    break
        if size > self._max_body:
            raise TooLarge(size)
        return kept[0] if len(kept) == 1 else b"".join(kept)

    # --- answers -----------------------------------------------------------------------------------------------------

    def _received(self, address: Address, batch: Batch, trace: TraceParent) -> web.Response:
        self._count(address, WebhookOutcome.ACCEPTED, batch.total - len(batch.rejected))
        self._count(address, WebhookOutcome.REJECTED, len(batch.rejected))
        for rejected in batch.rejected:
            log.warning("element_rejected", action=address.action, index=rejected.index, reason=rejected.error)
        log.info(
            "webhook_received",
            entity=address.kind or "entity",
            action=address.action,
            events=len(batch.events),
            rejected=len(batch.rejected),
            trace=trace.trace_id,
        )
        answer = Received(
            status="received",
            action=address.action,
            new_ids_count=len(batch.events),
            total_ids_in_batch=batch.total,
            rejected=[RejectedElement(rejected.index, rejected.error) for rejected in batch.rejected],
        )
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    def _unauthorized(self, address: Address, check: SignatureCheck) -> web.Response:
        self._count(address, WebhookOutcome.UNAUTHORIZED)
        known = check.claim is not None and check.claim.webhook_id in self._secrets
        log.warning("webhook_unauthorized", action=address.action, signed=check.claim is not None, known_webhook=known)
        return _error(401, "signature or key is missing or wrong")

    def _unavailable(self, address: Address, error: BusUnavailable) -> web.Response:
        self._count(address, WebhookOutcome.UNAVAILABLE)
        log.error("webhook_not_stored", action=address.action, reason=str(error))
        return _error(503, "not stored; send it again")

    async def _too_large(self, address: Address, check: SignatureCheck, error: TooLarge) -> web.Response:
        """413 ends the batch at EspoCRM: right, since it will not shrink; its events are left to the sweep."""
        if not self._authentic(check) or error.size > HARD_LIMIT:
            self._count(address, WebhookOutcome.UNAUTHORIZED)
            return _error(413, "body too large")
        letter = _whole(address, EventInvalid(str(error)), TraceParent.new(), size=error.size)
        return await self._refuse(address, letter, _error(413, "body too large"))

    async def _refuse(self, address: Address, letter: DeadLetter, answer: web.Response) -> web.Response:
        """Answer that the whole body is unusable, once its dead letter is stored."""
        try:
            await self._dead_letters.publish([dead_letter_message(letter)])
        except BusUnavailable as error:
            return self._unavailable(address, error)
        self._count(address, WebhookOutcome.REJECTED)
        log.error("webhook_rejected", action=address.action, reason=letter.reason)
        return answer

    def _count(self, address: Address, outcome: WebhookOutcome, amount: int = 1) -> None:
        if amount:
            self._metrics.webhook_events.labels(address.kind or "entity", address.action, outcome).inc(amount)


def _subject(address: Address) -> str:
    return f"vmh.{address.kind or 'entity'}.{address.action}"


def _letters(batch: Batch, address: Address, trace: TraceParent) -> list[DeadLetter]:
    now = datetime.now(UTC)
    return [
        dead_letter(
            _subject(address),
            EventInvalid(rejected.error),
            service=SERVICE,
            now=now,
            trace=trace.header(),
            detail={"index": rejected.index, "sha256": rejected.sha256, "size": rejected.size},
        )
        for rejected in batch.rejected
    ]


def _whole(address: Address, error: EventInvalid, trace: TraceParent, *, size: int) -> DeadLetter:
    return dead_letter(
        _subject(address), error, service=SERVICE, now=datetime.now(UTC), trace=trace.header(), detail={"size": size}
    )


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
