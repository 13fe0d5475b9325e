"""FastStream with JetStream pull: runs in the peers' environment, `python -m benchmarks.handle.field <plan>`.

Tuned as its documentation allows: 100 messages a request, handled side by side (its own way with them), acknowledged by
the framework, no log line per message, no conversion of arguments.
"""

import asyncio
import sys

import uvloop
from faststream.nats import (  # type: ignore[import-not-found]  # only in the peers' environment
    JStream,
    NatsBroker,
    NatsMessage,
    PullSub,
)
from nats.js.api import AckPolicy, ConsumerConfig

from benchmarks.handle.plan import FETCH, STREAM, SUBJECTS, Plan
from benchmarks.handle.turn import Turn


async def run(plan: Plan) -> None:
    """One run."""
    turn = Turn(plan)
    broker = NatsBroker(plan.url, logger=None, apply_types=False)

    async def handle(_: NatsMessage) -> None:
        if plan.seconds:
            await asyncio.sleep(plan.seconds)
        turn.handled()

    subscriber = broker.subscriber(
        SUBJECTS,
        durable=plan.durable,
        stream=JStream(STREAM, declare=False),
        pull_sub=PullSub(batch_size=FETCH),
        config=ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=5000),
    )
    subscriber(handle)
    connection = await broker.connect()
    await turn.begin()
    await broker.start()
    turn.report(await turn.over(connection))
    await broker.stop()


if __name__ == "__main__":
    uvloop.run(run(Plan.read(sys.argv[1])))
