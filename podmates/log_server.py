"""A small central log server: takes newline-delimited records over HTTP, keeps each once, and can be asked for them.

It stands where a collector stands in a real cluster, so it can be killed and come back. It runs alone too:
`python -m podmates.log_server`. What is kept, and what counts as the same record, is decided in `record_store`.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from podmates.record_store import RecordStore, is_record, lines_of

MAX_BODY_BYTES = 16 * 1_048_576
PAGE_BYTES = 4 * 1_048_576
STORE = web.AppKey("STORE", RecordStore)
WRITING = web.AppKey("WRITING", asyncio.Lock)


class BodyRefused(Exception):
    """A body that is no text of the announced encoding, or longer than is taken."""


def decompress(body: bytes, encoding: str, most: int = MAX_BODY_BYTES) -> bytes:
    """The body behind a Content-Encoding (gzip, zstd or none). Raises BodyRefused; never makes more than `most`."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip":
            return _gunzip(body, most)
        case "zstd":
            return _unzstd(body, most)
        case other:
            raise BodyRefused(f"unknown content encoding {other!r}")


def _gunzip(body: bytes, most: int) -> bytes:
    text = b""
    while body:  # a gzip body may be several members, one after the other
        member = zlib.decompressobj(wbits=31)
        try:
            text += member.decompress(body, most + 1 - len(text))
        except zlib.error as error:
            raise BodyRefused(f"not gzip: {error}") from error
        if len(text) > most:
            raise BodyRefused(f"longer than {most} bytes")
        if not member.eof:
            raise BodyRefused("gzip body is cut short")
        body = member.unused_data
    return text


def _unzstd(body: bytes, most: int) -> bytes:
    import zstandard  # only when a shipper uses it

    try:
        with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
            text = reader.read(most + 1)
    except zstandard.ZstdError as error:
        raise BodyRefused(f"not zstd: {error}") from error
    if len(text) > most:
        raise BodyRefused(f"longer than {most} bytes")
    return text


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


async def serve(host: str, port: int, path: Path) -> None:
    """Serve until SIGTERM or SIGINT. Port 0 asks for any; the ready event on standard error names the real one."""
    stop = asyncio.Event()
    for asked in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(asked, stop.set)
    store = RecordStore(path)
    # Bodies are decompressed here, where their size is bounded.
    runner = web.AppRunner(application(store), access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address, bound = runner.addresses[0][:2]
        ready = {"event": "ready", "listen": f"{address}:{bound}", "records": store.counts.records}
        print(json.dumps(ready), file=sys.stderr, flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()
        store.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server with arguments, each with an environment variable as its default."""
    parser = argparse.ArgumentParser(prog="python -m podmates.log_server", description="A small central log server.")
    listen, store = os.environ.get("LOGSERVER_LISTEN", "127.0.0.1:0"), os.environ.get("LOGSERVER_STORE")
    parser.add_argument("--listen", default=listen, help="HOST:PORT, port 0 for any (LOGSERVER_LISTEN)")
    parser.add_argument("--store", default=store, required=store is None, type=Path, help="file (LOGSERVER_STORE)")
    arguments = parser.parse_args(argv)
    host, _, port = arguments.listen.rpartition(":")
    try:
        asyncio.run(serve(host.strip("[]"), int(port), arguments.store))
    except (OSError, ValueError) as error:
        print(f"log server: {error}", file=sys.stderr)
        return 64
    return 0


if __name__ == "__main__":
    sys.exit(main())
