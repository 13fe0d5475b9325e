"""The peers of the gateway: what one writes in an afternoon with the same libraries.

`python -m benchmarks.ingest.plain <nats url>` is the floor: the same signature check, the JSON parsed, one awaited
`js.publish` for each element. With "-" for the address it stores nothing: bare aiohttp. Prints its port when it serves.
"""

import asyncio
import base64
import hmac
import sys
from collections.abc import Awaitable, Callable

import msgspec
import nats
import uvloop
from aiohttp import web
from nats.js.api import StorageType, StreamConfig

from benchmarks.ingest.webhooks import PATH, SECRET, WEBHOOK_ID

STREAM = "FLOOR"
SUBJECT = "floor.document.create."

Store = Callable[[str], Awaitable[object]]


def application(store: Store | None) -> web.Application:
    """The webhook's route; `store` is awaited for each element's id."""

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        webhook_id, _, digest = base64.b64decode(request.headers["Signature"]).decode().partition(":")
        mac = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
        if webhook_id != WEBHOOK_ID or not hmac.compare_digest(mac, digest):
            return web.Response(status=401)
        elements = msgspec.json.decode(body)
        if store is not None:
            for element in elements:
                await store(element["id"])
        return web.json_response({"status": "received", "total_ids_in_batch": len(elements)})

    app = web.Application()
    app.router.add_post(PATH, receive)
    return app


async def serve(url: str) -> None:
    """Serve until SIGTERM."""
    store: Store | None = None
    if url != "-":
        connection = await nats.connect(url)
        stream = connection.jetstream()
        await stream.add_stream(StreamConfig(name=STREAM, subjects=[f"{SUBJECT}>"], storage=StorageType.FILE))

        async def publish(entity_id: str) -> object:
            return await stream.publish(SUBJECT + entity_id, msgspec.json.encode({"entity_id": entity_id}))

        store = publish
    runner = web.AppRunner(application(store), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
