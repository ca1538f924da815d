"""A server for each protocol, in the test's own process: checks every request, and answers as the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from logtail.chunk import Chunk, Source
from sidecar_logshipper.batch import Batch, Part
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.sinks.seam import Answer

from ..conftest import PATIENCE_S, decoded

SEEN_US = 1_700_000_000_000_000
SEEN_NS = SEEN_US * 1000
GENERATION = f"2a-{SEEN_US:x}"
ORIGIN = Origin({"app": "web"}, {"k8s.pod.name": "web-1"}, "pod-uid")
BARE = Origin({}, {})


def part(lines: bytes, start: int = 0, *, path: str = "/log/app.log", piece: bool = False) -> Part:
    return Part.of(Chunk(Source(path, GENERATION), start, lines, piece=piece))


def batch(*parts: Part | bytes) -> Batch:
    return Batch(tuple(each if isinstance(each, Part) else part(each) for each in parts))


def answer(status: int, body: bytes = b"", retry_after: str | None = None) -> Answer:
    return Answer(status, retry_after, body)


@dataclass
class Reply:
    """What the server answers, and which of the records (by place) it keeps; None for all."""

    status: int = 200
    body: bytes = b""
    keeps: set[int] | None = None
    headers: dict[str, str] = field(default_factory=dict)


class ProtocolServer:
    """`parse` gives the records of a request; an AssertionError in it fails the test at its end."""

    def __init__(self, parse: Callable[[web.Request, bytes], list[Any]]) -> None:
        self._parse = parse
        self.records: list[Any] = []
        self.requests: list[web.Request] = []
        self.failures: list[AssertionError] = []
        self.reply: Callable[[list[Any]], Reply] = lambda records: Reply()
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = decoded(request, await request.read())
        async with self._arrived:
            self.requests.append(request)
            try:
                records = self._parse(request, body)
            except AssertionError as failure:
                self.failures.append(failure)
                self._arrived.notify_all()
                return web.Response(status=418)
            reply = self.reply(records)
            kept = range(len(records)) if reply.keeps is None and reply.status < 300 else reply.keeps or ()
            self.records += [records[place] for place in sorted(kept)]
            self._arrived.notify_all()
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    async def has(self, count: int) -> list[Any]:
        """Waits until at least `count` records were kept."""
        async with self._arrived:
            await asyncio.wait_for(
                self._arrived.wait_for(lambda: self.failures or len(self.records) >= count), PATIENCE_S
            )
        if self.failures:
            raise self.failures[0]
        return self.records


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Callable[[web.Request, bytes], list[Any]]], Any]]:
    """`await serve(parse)`: a server; its failures fail the test."""
    servers: list[ProtocolServer] = []

    async def start(parse: Callable[[web.Request, bytes], list[Any]]) -> ProtocolServer:
        servers.append(ProtocolServer(parse))
        await servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        await server.stop()
        if server.failures:
            raise server.failures[0]
