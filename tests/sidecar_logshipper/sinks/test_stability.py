"""A record has the same id and the same time at every try and after every restart, killed or not."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp import web

from ..conftest import Start
from .conftest import Reply


def parse(request: web.Request, body: bytes) -> list[Any]:
    return [json.loads(line) for line in body.splitlines()]


async def test_killed_with_everything_sent_and_nothing_acknowledged(ship: Start, serve: Any, log: Path) -> None:
    """What the first life sent is what the second sends, though it reads it in other pieces at another time."""
    server = await serve(parse)
    seen: list[Any] = []
    accept = False

    def reply(records: list[Any]) -> Reply:
        seen.extend(records)
        return Reply(200 if accept else 503)

    server.reply = reply
    given: dict[str, Any] = {
        "pod": {"uid": "pod-uid"},
        "sink": {"type": "victorialogs", "url": server.url, "record_id_field": "id", "batch": {"max_bytes": "4KiB"}},
    }
    log.write_bytes(b"before\n")
    shipper = await ship(**given)
    for number in range(3):  # each a second after the other, so that each has a mark of its own
        with log.open("ab") as file:
            file.write(b"plain %d\n" % number * 20)
        await shipper.metrics_when(lambda now, read=21 + number * 20: now["logshipper_read_lines_total"] == read)
        await asyncio.sleep(1.1)
    await shipper.kill()
    first = {record["id"]: record for record in seen}
    seen.clear()
    accept = True
    with log.open("ab") as file:
        file.write(b"after\n")
    shipper = await ship(**given)
    await server.has(62)
    assert await shipper.stop() == 0
    second = {record["id"]: record for record in server.records}
    assert len(second) == 62
    assert first
    assert {record_id: second[record_id] for record_id in first} == first
    times = [record["timestamp"] for record in server.records]
    assert times == sorted(times)
    assert len(set(times)) == 62
    assert len({time[:19] for time in times}) >= 3  # as they were written, not as the file was found
