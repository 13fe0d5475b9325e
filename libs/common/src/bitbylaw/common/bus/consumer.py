"""A durable pull consumer that keeps itself supplied and survives the server's restart.

One long pull request is always open, for as many messages as the worker has room for. nats-py's own `fetch` waits for a
full batch or a time-out, and its subscription can die silently with the server (reference nats.md); here a request that
nobody answered is forgotten after its time and made again, and a reconnect makes it again at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ConnectionReconnectingError, OutboundBufferLimitError
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from bitbylaw.common.bus import wire
from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.errors import BusUnavailable
from bitbylaw.common.telemetry.logging import get_logger

#: Seconds after which an unacknowledged message goes to another worker; a living worker reports progress before.
ACK_WAIT = 10.0
#: Seconds one pull request stays open at the server.
PULL_EXPIRES = 5.0
#: Seconds of silence after which a pull request counts as lost.
PULL_LOST = PULL_EXPIRES + 1.5

#: Seconds until the loss of the server, met by a request, is known to everybody.
AWAY_WAIT = 0.05

#: Tokens of a reply subject in its short form, and the place of its first number.
_ACK_TOKENS, _ACK_NUMBERS = 9, 4

_ACK, _PROGRESS, _NAK = b"+ACK", b"+WPI", b"-NAK"

log = get_logger("consumer")


class ConsumerSpec(msgspec.Struct, frozen=True):
    """A durable consumer: one per service and stream, shared by its replicas."""

    stream: str
    durable: str
    filters: tuple[str, ...]
    max_ack_pending: int = 5000
    ack_wait: float = ACK_WAIT

    def config(self) -> ConsumerConfig:
        """JetStream's own form of it. Deliveries are unbounded: attempts are counted by us, in a header."""
        return ConsumerConfig(
            durable_name=self.durable,
            filter_subjects=list(self.filters),
            ack_policy=AckPolicy.EXPLICIT,
            deliver_policy=DeliverPolicy.ALL,
            ack_wait=self.ack_wait,
            max_deliver=-1,
            max_ack_pending=self.max_ack_pending,
        )


class Delivery:
    """One message in our hands. It is ours until settled; `progress` keeps it from going to somebody else."""

    __slots__ = ("_bus", "_reply", "body", "headers", "redelivered", "sequence", "stored", "subject")

    def __init__(self, bus: Bus, message: Msg) -> None:
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<timestamp ns>.<pending>, or (ADR-15) with
        # a domain and an account hash before the stream, and then perhaps a random token at the end.
        tokens = message.reply.split(".")
        numbers = tokens[_ACK_NUMBERS if len(tokens) == _ACK_TOKENS else _ACK_NUMBERS + 2 :]
        self._bus = bus
        self._reply = message.reply
        self.subject = message.subject
        self.body = message.data
        self.headers = message.headers or {}
        self.redelivered = int(numbers[0]) > 1
        self.sequence = int(numbers[1])
        self.stored = datetime.fromtimestamp(int(numbers[3]) / 1e9, UTC)

    async def ack(self, *others: "Delivery") -> None:
        """Tell JetStream that the message, and `others`, are done with. What is lost of it only costs a redelivery."""
        with suppress(NatsError, OSError):
            await wire.send(self._bus.nc, [delivery.acknowledgement() for delivery in (self, *others)])

    def acknowledgement(self) -> bytes:
        """What `ack` sends."""
        return wire.message(self._reply, _ACK, {}, limit=len(_ACK))

    async def nak(self) -> None:
        """Give the message back for another worker to take at once."""
        await self._answer(_NAK)

    async def progress(self) -> None:
        """Tell JetStream that the message is still being worked on."""
        await self._answer(_PROGRESS)

    async def _answer(self, word: bytes) -> None:
        with suppress(NatsError, OSError):
            await self._bus.nc.publish(self._reply, word)


async def ensure_consumer(bus: Bus, spec: ConsumerSpec) -> None:
    """Create the durable consumer, or correct its filters; safe when replicas do it at once.

    While no server is reached it waits for one, as the start of a service does.

    Raises:
        BusUnavailable: JetStream refuses, or does not answer though its server is reached.
    """
    while True:
        try:
            await bus.js.add_consumer(spec.stream, spec.config())
        except (ConnectionReconnectingError, OutboundBufferLimitError):
            await asyncio.sleep(AWAY_WAIT)
            await bus.until_connected()
        except (APIError, NatsError, OSError, TimeoutError) as error:
            raise BusUnavailable(f"consumer {spec.durable}: {error}") from error
        else:
            return


class PullConsumer:
    """Hands messages to `deliver` as they come, at most `room()` of them at any time.

    `gate` is awaited before each request: a circuit breaker pauses the consumer there.
    """

    def __init__(
        self,
        bus: Bus,
        spec: ConsumerSpec,
        *,
        deliver: Callable[[Delivery], None],
        room: Callable[[], int],
        gate: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._bus = bus
        self._spec = spec
        self._deliver = deliver
        self._room = room
        self._gate = gate
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{spec.stream}.{spec.durable}"
        self._outstanding = 0
        self._asked_at = 0.0
        self._wake = asyncio.Event()
        self._stopping = False
        #: Loop time of the last turn of the pull loop, at first of its making; health looks at it.
        self.last_turn = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Pull until `stop` or cancellation."""
        self._bus.on_reconnect(self._forget)
        inbox = self._bus.nc.new_inbox()
        subscription = await self._bus.nc.subscribe(
            inbox, cb=self._received, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        try:
            while not self._stopping:
                self.last_turn = asyncio.get_running_loop().time()
                await self._turn(inbox)
        finally:
            # Not cancelled with us: nats-py's connection dies when somebody stops waiting for the answer to its ping.
            await asyncio.wait({self._bus.spawn(self._leave(subscription))}, timeout=2.0)

    async def _leave(self, subscription: Subscription) -> None:
        with suppress(NatsError, OSError, TimeoutError):
            if self._bus.connected:
                # What is on its way still arrives, so that it can be handed back instead of waiting for nobody.
                await subscription.drain()  # type: ignore[no-untyped-call]  # nats-py leaves it bare
            else:
                await subscription.unsubscribe()

    def stop(self) -> None:
        """Ask for nothing more. Messages already asked for may still come until `run` returns."""
        self._stopping = True
        self._wake.set()

    def settled(self) -> None:
        """Say that room was made."""
        if self._low():
            self._wake.set()

    def _low(self) -> bool:
        """Whether so little is on its way that the next request should go out before the last message comes."""
        return self._outstanding * 4 <= self._room()

    async def _turn(self, inbox: str) -> None:
        """One request for what there is room for, then a wait until there is reason for another."""
        self._wake.clear()
        missing = self._room() - self._outstanding
        if missing > 0 and self._bus.connected and await self._open() and not self._stopping:
            await self._ask(inbox, missing)
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._wake.wait()
        if self._outstanding and asyncio.get_running_loop().time() - self._asked_at > PULL_LOST:
            self._outstanding = 0

    async def _open(self) -> bool:
        """Whether the gate lets a request through; asked again every second, so that health sees the loop turn."""
        if self._gate is None:
            return True
        try:
            async with asyncio.timeout(1.0):
                await self._gate()
        except TimeoutError:
            self._wake.set()
            return False
        return True

    async def _ask(self, inbox: str, batch: int) -> None:
        request = msgspec.json.encode({"batch": batch, "expires": int(PULL_EXPIRES * 1e9)})
        try:
            await self._bus.nc.publish(self._next, request, reply=inbox)
        except (NatsError, OSError):
            return
        self._outstanding += batch
        self._asked_at = asyncio.get_running_loop().time()

    async def _received(self, message: Msg) -> None:
        if not message.reply:
            await self._status(message)
            return
        self._outstanding = max(self._outstanding - 1, 0)
        self._asked_at = asyncio.get_running_loop().time()
        self._deliver(Delivery(self._bus, message))
        if self._low():
            self._wake.set()

    async def _status(self, message: Msg) -> None:
        """The server ended a request: it says for how many messages (`Nats-Pending-Messages`)."""
        headers = message.headers or {}
        pending = headers.get("Nats-Pending-Messages", "")
        self._outstanding = max(self._outstanding - int(pending), 0) if pending.isdecimal() else 0
        status = headers.get("Status", "")
        description = headers.get("Description", "")
        if "Consumer Deleted" in description or status == "503":
            log.warning("consumer_gone", consumer=self._spec.durable, status=status)
            with suppress(BusUnavailable):
                await ensure_consumer(self._bus, self._spec)
        self._wake.set()

    def _forget(self) -> None:
        self._outstanding = 0
        self._wake.set()
