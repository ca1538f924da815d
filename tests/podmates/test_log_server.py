"""The log server over HTTP, and as a process that is killed and comes back."""

import asyncio
import gzip
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import zstandard
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from podmates.launcher import Launcher
from podmates.log_server.bodies import BodyRefused, decompress
from podmates.log_server.receiver import application
from podmates.log_server.record_store import RecordStore
from podmates.log_server_process import LogServer
from podmates.ports import free_port

BODY = b'{"a":1}\n{"b":2}\n'
Client = TestClient[web.Request, web.Application]


def packed(content: bytes) -> bytes:
    """The same bytes at every call: they are in the names of tests, on which several processes have to agree."""
    return gzip.compress(content, mtime=0)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    server = TestServer(application(RecordStore(tmp_path / "records.jsonl")))
    await server.start_server(auto_decompress=False)
    async with TestClient(server) as client:
        yield client


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", BODY),
        ("identity", BODY),
        ("gzip", packed(BODY)),
        ("gzip", packed(BODY[:8]) + packed(BODY[8:])),
        ("zstd", zstandard.compress(BODY)),
        ("zstd", zstandard.compress(BODY[:8]) + zstandard.compress(BODY[8:])),
        ("ZSTD", zstandard.ZstdCompressor(write_content_size=False).compress(BODY)),
    ],
)
def test_bodies_are_read_in_every_encoding_a_shipper_uses(encoding: str, body: bytes) -> None:
    assert decompress(body, encoding) == BODY


@pytest.mark.parametrize(
    ("encoding", "body", "why"),
    [
        ("br", b"", "unknown content encoding 'br'"),
        ("gzip", BODY, "not gzip"),
        ("gzip", packed(BODY)[:-9], "cut short"),
        ("gzip", packed(bytes(2_000)), "longer than 1000 bytes"),
        ("zstd", BODY, "not zstd"),
        ("zstd", zstandard.compress(bytes(2_000)), "longer than 1000 bytes"),
    ],
)
def test_bodies_that_are_refused(encoding: str, body: bytes, why: str) -> None:
    with pytest.raises(BodyRefused, match=why):
        decompress(body, encoding, most=1_000)


async def test_a_batch_is_acknowledged_and_can_be_read_again(client: Client) -> None:
    answer = await client.post("/logs", data=packed(BODY), headers={"Content-Encoding": "gzip"})
    assert answer.status == 204
    answer = await client.post("/logs", data=BODY)
    assert answer.status == 204
    page = await client.get("/records")
    assert (await page.read(), page.headers["X-Next-Offset"]) == (BODY, str(len(BODY)))
    assert await (await client.get("/records", params={"offset": len(BODY)})).read() == b""
    counts = await (await client.get("/counts")).json()
    assert counts == {"records": 2, "requests": 2, "repeats": 2, "refused": 0}


async def test_a_batch_with_one_bad_line_is_refused_whole(client: Client) -> None:
    answer = await client.post("/logs", data=BODY + b"no json\n")
    assert (answer.status, await answer.text()) == (400, "1 of 3 lines are no JSON objects\n")
    assert (await (await client.get("/counts")).json())["records"] == 0


async def test_a_killed_server_comes_back_with_everything_it_acknowledged(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        port = free_port(random.Random())
        server = LogServer(Launcher(tasks, tmp_path), session, store=tmp_path / "records.jsonl", port=port)
        await server.start()
        for _ in range(2):
            async with session.post(f"{server.peer.url}/logs", data=BODY) as answer:
                assert answer.status == 204
        await server.kill()
        await server.start()
        async with session.post(f"{server.peer.url}/logs", data=BODY + b'{"c":3}') as answer:
            assert answer.status == 204
        assert await server.peer.received() == 3
        assert await server.peer.sent_again() == 4  # two before it was killed, two after
        assert await server.peer.records() == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
        assert await server.peer.find('"b"', within_s=60) == b'{"b":2}'
        assert await server.peer.find('"d"', within_s=0.01) is None
        await server.stop()


async def test_a_port_in_use_is_named_and_ends_it_with_64(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        launcher = Launcher(tasks, tmp_path)
        first = await launcher.python("first", "podmates.log_server", "--store", tmp_path / "1")
        listen = (await first.ready())["listen"]
        command = [sys.executable, "-m", "podmates.log_server", "--listen", str(listen), "--store", tmp_path / "2"]
        second = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        _, stderr = await second.communicate()
        assert second.returncode == 64
        assert b"log server: " in stderr
        assert b"address already in use" in stderr
        await first.stop(60)
