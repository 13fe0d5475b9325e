"""document-sync's wiring."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack

from bitbylaw.common.actors.journal import Journals
from bitbylaw.common.actors.leases import Leases
from bitbylaw.common.actors.run import Handler
from bitbylaw.common.actors.settlement import Settlement
from bitbylaw.common.actors.verdict import RetryPolicy
from bitbylaw.common.actors.worker import Worker
from bitbylaw.common.bus.connection import Bus, connect
from bitbylaw.common.bus.consumer import ConsumerSpec
from bitbylaw.common.bus.kv import Bucket
from bitbylaw.common.bus.publisher import Publisher
from bitbylaw.common.bus.topology import BucketName, Stream, ensure_topology
from bitbylaw.common.service.process import DRAIN_GRACE, Context
from bitbylaw.common.service.tasks import Tasks
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.document_sync.collections import Collections
from bitbylaw.document_sync.content import Spool
from bitbylaw.document_sync.documents import DocumentHandler
from bitbylaw.document_sync.handlers import Handlers
from bitbylaw.document_sync.model import DocumentRecord, OwnerRecord
from bitbylaw.document_sync.owners import OwnerHandler
from bitbylaw.document_sync.settings import Settings
from bitbylaw.document_sync.steps import Step
from bitbylaw.document_sync.upstreams import Upstreams, connect_upstreams

SERVICE = "document-sync"
#: Seconds without a turn of the pull loop after which the process counts as stuck.
STUCK = 30.0
#: Quick at first, since most faults pass quickly; in the end patient, since a night may pass before somebody looks.
RETRIES = RetryPolicy(max_attempts=10, base=1.0, cap=600.0)

log = get_logger(SERVICE)


async def serve(settings: Settings, context: Context, *, on_step: Callable[[Step], None] | None = None) -> None:
    """Serve until `context.stop`, then drain: hand back what has not begun, finish what runs, give leases up."""
    environment = settings.environment
    async with AsyncExitStack() as stack:
        bus = await connect(environment.nats, SERVICE)
        stack.push_async_callback(bus.close)
        await ensure_topology(bus, environment.nats.replicas)
        upstreams = await stack.enter_async_context(connect_upstreams(environment, context.metrics))
        tasks = await stack.enter_async_context(Tasks(context.stop))
        events, dead_letters = Publisher(bus), Publisher(bus)
        leases = Leases(bus, Bucket(bus, BucketName.LEASES), SERVICE, ttl=environment.lease.seconds)
        handlers = _handlers(settings, bus, upstreams, leases, events, on_step)
        worker = Worker(
            bus,
            # A dead worker's events go to the next one when its leases are over: earlier nobody could handle them.
            ConsumerSpec(stream=Stream.EVENTS, durable=SERVICE, filters=_filters(), ack_wait=environment.lease.seconds),
            handlers,
            leases=leases,
            settlement=Settlement(
                events=events,
                dead_letters=dead_letters,
                metrics=context.metrics,
                service=SERVICE,
                policy=RETRIES,
                jitter=random.random,
            ),
            metrics=context.metrics,
            service=SERVICE,
            concurrency=environment.concurrency,
            max_run_seconds=environment.lease.max_run_seconds,
            gate=upstreams.wait_closed,
        )
        for name, work in (
            ("events", events.run()),
            ("dead_letters", dead_letters.run()),
            ("leases", leases.run()),
            ("worker", worker.run()),
        ):
            tasks.start(name, work)
        stack.push_async_callback(worker.drain, DRAIN_GRACE)
        context.health.ready_if("bus", lambda: None if bus.connected else "NATS is away")
        loop = asyncio.get_running_loop()
        context.health.alive_if("worker", lambda: None if loop.time() - worker.consumer.last_turn < STUCK else "stuck")
        context.health.started()
        log.info("document_sync_ready")
        await tasks.until_stopped()


def _filters() -> tuple[str, ...]:
    return ("vmh.document.*.*", "vmh.raeumungsklage.*.*", "vmh.account.*.*")


def _handlers(
    settings: Settings,
    bus: Bus,
    upstreams: Upstreams,
    leases: Leases,
    events: Publisher,
    on_step: Callable[[Step], None] | None,
) -> Handlers:
    environment, policies = settings.environment, settings.policies
    state = Bucket(bus, BucketName.STATE_DOCUMENTS)
    spool = Spool(
        upstreams.espo,
        max_megabytes=environment.xai.max_file_size_mb,
        content_types=policies.content_types,
        folder=environment.spool,
    )
    spool.clear(environment.lease.max_run_seconds)
    collections = Collections(policies, upstreams.espo, upstreams.xai, Journals(state, OwnerRecord()), leases)
    documents = DocumentHandler(
        policies,
        espo=upstreams.espo,
        journals=Journals(state, DocumentRecord()),
        xai=upstreams.xai,
        collections=collections,
        spool=spool,
        on_step=on_step,
    )
    owners = OwnerHandler(policies, espo=upstreams.espo, collections=collections, events=events)
    by_type: dict[str, Handler] = {link.entity_type: owners for link in policies.owners}
    by_type[policies.entity_type] = documents
    return Handlers(by_type, upstreams.breakers)
