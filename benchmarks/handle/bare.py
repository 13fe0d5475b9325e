"""The plainest consumer: fetch(100), handle, acknowledge, with nats-py as it comes (on uvloop, like ours).

Handlers that wait do so side by side within a batch. No order, no exclusion, no lease: what it does not do is what the
worker costs. `python -m benchmarks.handle.bare <plan>`.
"""

import asyncio
import sys

import nats
import uvloop
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from benchmarks.handle.plan import FETCH, STREAM, SUBJECTS, Plan
from benchmarks.handle.turn import Turn


async def run(plan: Plan) -> None:
    """One run."""
    connection = await nats.connect(plan.url)
    turn = Turn(plan)
    subscription = await connection.jetstream().pull_subscribe(
        SUBJECTS,
        durable=plan.durable,
        stream=STREAM,
        config=ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=5000),
    )

    async def handle(message: Msg) -> None:
        await asyncio.sleep(plan.seconds)
        turn.handled()
        await message.ack()

    async def consume() -> None:
        while True:
            messages = await subscription.fetch(FETCH, timeout=5)
            if plan.seconds:
                await asyncio.gather(*(handle(message) for message in messages))
            else:
                for message in messages:
                    turn.handled()
                    await message.ack()

    await turn.begin()
    consuming = asyncio.create_task(consume())
    turn.report(await turn.over(connection))
    consuming.cancel()
    await asyncio.gather(consuming, return_exceptions=True)
    await connection.close()


if __name__ == "__main__":
    uvloop.run(run(Plan.read(sys.argv[1])))
