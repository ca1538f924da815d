"""The HTTP side of the log server: takes newline-delimited records, keeps each once, and can be asked for them.

What is kept, and what counts as the same record, is decided in `record_store`.
"""

import asyncio
from dataclasses import asdict

from aiohttp import web

from podmates.log_server.bodies import MAX_BODY_BYTES, BodyRefused, decompress
from podmates.log_server.record_store import RecordStore, is_record, lines_of

PAGE_BYTES = 4 * 1_048_576
STORE = web.AppKey("STORE", RecordStore)
WRITING = web.AppKey("WRITING", asyncio.Lock)


async def receive(request: web.Request) -> web.Response:
    """POST /logs: 204 when every record of the body is on disk; 400 keeps nothing of it."""
    store, writing = request.app[STORE], request.app[WRITING]
    store.counts.requests += 1
    try:
        text = decompress(await request.read(), request.headers.get("Content-Encoding", ""))
    except BodyRefused as refusal:
        store.counts.refused += 1
        return web.Response(status=400, text=f"{refusal}\n")
    lines = list(lines_of(text))
    if bad := sum(not is_record(line) for line in lines):
        store.counts.refused += 1
        return web.Response(status=400, text=f"{bad} of {len(lines)} lines are no JSON objects\n")
    async with writing:  # one sync at a time, off the loop
        await asyncio.to_thread(store.add, lines)
    return web.Response(status=204)


async def records(request: web.Request) -> web.Response:
    """GET /records?offset=BYTES: kept records from there on; X-Next-Offset is where to go on."""
    try:
        offset = max(0, int(request.query.get("offset", "0")))
    except ValueError:
        return web.Response(status=400, text="offset is a number of bytes\n")
    page = request.app[STORE].read(offset, PAGE_BYTES)
    headers = {"X-Next-Offset": str(offset + len(page))}
    return web.Response(body=page, headers=headers, content_type="application/x-ndjson")


async def counts(request: web.Request) -> web.Response:
    """GET /counts: records kept in all; requests, repeats and refused bodies since the start of this process."""
    return web.json_response(asdict(request.app[STORE].counts))


def application(store: RecordStore) -> web.Application:
    """The HTTP side over a store."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app[STORE] = store
    app[WRITING] = asyncio.Lock()
    app.add_routes([web.post("/logs", receive), web.get("/records", records), web.get("/counts", counts)])
    return app
