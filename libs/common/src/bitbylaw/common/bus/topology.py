"""Streams and buckets of the Contract, as data, and the one place that creates or corrects them.

Facts used here (reference nats.md): a stream with schedules cannot use discard=new; `max_msgs_per_subject=1` makes ten
waiting updates of one entity one message; the only bound is the server's storage, which refuses and never discards.
"""

import asyncio
from enum import StrEnum

import msgspec
from nats.errors import Error as NatsError
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, BadRequestError, NotFoundError

from bitbylaw.common.bus.connection import Bus
from bitbylaw.common.errors import BusUnavailable, ConfigurationError
from bitbylaw.common.telemetry.logging import get_logger

MINIMUM_SERVER = (2, 12)
#: Seconds between two tries to make again what a restarted server has forgotten.
RESTORE_WAIT = 0.25

log = get_logger("topology")


class Stream(StrEnum):
    """The streams of the Contract."""

    INBOX = "INBOX"
    EVENTS = "EVENTS"
    DEADLETTERS = "DEADLETTERS"


class BucketName(StrEnum):
    """The key-value buckets of the Contract."""

    LEASES = "LEASES"
    STATE_DOCUMENTS = "STATE_DOCUMENTS"
    STATE_PERSONS = "STATE_PERSONS"
    STATE_APPOINTMENTS = "STATE_APPOINTMENTS"
    CURSORS = "CURSORS"


class StreamSpec(msgspec.Struct, frozen=True):
    """What a stream must be like.

    `latest_only` keeps one message a subject, `scheduled` takes delayed messages, `until_acked` removes a message once
    its one consumer is done with it.
    """

    name: str
    subjects: tuple[str, ...]
    description: str
    latest_only: bool = False
    scheduled: bool = False
    until_acked: bool = False
    bucket: bool = False
    in_memory: bool = False

    def config(self, replicas: int) -> StreamConfig:
        """JetStream's own form of it."""
        return StreamConfig(
            name=self.name,
            subjects=list(self.subjects),
            description=self.description,
            retention=RetentionPolicy.WORK_QUEUE if self.until_acked else RetentionPolicy.LIMITS,
            storage=StorageType.MEMORY if self.in_memory else StorageType.FILE,
            num_replicas=replicas,
            max_msgs_per_subject=1 if self.latest_only else -1,
            duplicate_window=120,
            # A lookup must see the last write: reads go to the stream's leader, not to any replica.
            allow_direct=False,
            allow_atomic=not self.bucket,
            allow_msg_schedules=self.scheduled,
            allow_msg_ttl=self.bucket,
            allow_rollup_hdrs=True,
        )


#: Where a delayed message waits: `retry.<subject it will arrive on>`.
RETRY_PREFIX = "retry."
DEAD_LETTER_PREFIX = "dlq."


def bucket_spec(name: str, description: str, *, in_memory: bool = False) -> StreamSpec:
    """A KV bucket as JetStream knows it: stream `KV_<name>` over `$KV.<name>.>`, the last value of each key."""
    return StreamSpec(
        name=f"KV_{name}",
        subjects=(f"$KV.{name}.>",),
        description=description,
        latest_only=True,
        bucket=True,
        in_memory=in_memory,
    )


TOPOLOGY: tuple[StreamSpec, ...] = (
    StreamSpec(
        name=Stream.INBOX,
        subjects=("vmh.*.*", "calendar.sync.*"),
        description="Events as people type them; the gateway validates and keys them",
        until_acked=True,
    ),
    StreamSpec(
        name=Stream.EVENTS,
        subjects=("vmh.*.*.*", "calendar.sync.*.*", f"{RETRY_PREFIX}>"),
        description="Keyed events, the latest of each subject",
        latest_only=True,
        scheduled=True,
    ),
    StreamSpec(
        name=Stream.DEADLETTERS,
        subjects=(f"{DEAD_LETTER_PREFIX}>",),
        description="Events that no try can help, each with its error",
    ),
    # A lease need not survive its server; in memory it costs a tenth under sync_interval always (reference nats.md).
    bucket_spec(BucketName.LEASES, "Who handles which entity just now", in_memory=True),
    bucket_spec(BucketName.STATE_DOCUMENTS, "Journal of documents and collections"),
    bucket_spec(BucketName.STATE_PERSONS, "Journal of persons"),
    bucket_spec(BucketName.STATE_APPOINTMENTS, "Journal of appointments"),
    bucket_spec(BucketName.CURSORS, "How far each sweep has come"),
)


async def ensure_topology(bus: Bus, replicas: int, specs: tuple[StreamSpec, ...] = TOPOLOGY) -> None:
    """Create what is missing and correct what differs; safe when several services do it at once.

    A single server forgets its memory streams altogether when it restarts, not just their messages: they are made
    again at each reconnect.

    Raises:
        ConfigurationError: the server is too old, or a stream of that name cannot be made to fit.
        BusUnavailable: JetStream does not answer.
    """
    _check_server(bus)
    for spec in specs:
        await _ensure(bus, spec, replicas)
    in_memory = tuple(spec for spec in specs if spec.in_memory)
    bus.on_reconnect(lambda: bus.spawn(_restore(bus, replicas, in_memory)))


async def _restore(bus: Bus, replicas: int, specs: tuple[StreamSpec, ...]) -> None:
    """Make the memory streams again, for as long as this connection lasts; the next reconnect begins anew."""
    while bus.connected:
        try:
            for spec in specs:
                await _ensure(bus, spec, replicas)
        except BusUnavailable:
            await asyncio.sleep(RESTORE_WAIT)
        except ConfigurationError as error:
            log.error("stream_not_restored", error=str(error))
            return
        else:
            return


def _check_server(bus: Bus) -> None:
    version = bus.nc.connected_server_version
    if (version.major, version.minor) < MINIMUM_SERVER:
        wanted = ".".join(map(str, MINIMUM_SERVER))
        raise ConfigurationError([f"NATS_URL: server is {version}, {wanted} or newer is needed (message schedules)"])


async def _ensure(bus: Bus, spec: StreamSpec, replicas: int) -> None:
    wanted = spec.config(replicas)
    try:
        try:
            present = (await bus.js.stream_info(spec.name)).config
        except NotFoundError:
            await bus.js.add_stream(wanted)
            log.info("stream_created", stream=spec.name, replicas=replicas)
            return
        if _differs(present, wanted):
            await bus.js.update_stream(wanted)
            log.info("stream_updated", stream=spec.name, replicas=replicas)
    except BadRequestError as error:
        raise ConfigurationError([f"stream {spec.name}: {error.description}"]) from error
    except (APIError, NatsError, OSError, TimeoutError) as error:
        raise BusUnavailable(f"stream {spec.name}: {type(error).__name__}") from error


def _differs(present: StreamConfig, wanted: StreamConfig) -> bool:
    compared = (
        "subjects",
        "num_replicas",
        "max_msgs_per_subject",
        "allow_atomic",
        "allow_msg_schedules",
        "allow_msg_ttl",
    )
    # The server leaves out what is false.
    return any((getattr(present, name) or None) != (getattr(wanted, name) or None) for name in compared)
