"""Stack traces as one record each, whatever the sink takes; UTF-16 files arrive as text."""

# ruff: noqa: ASYNC240 (the files are local and small)

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from .balance import imbalance
from .conftest import LogServer, Start

CONTENT = b"2026 boom\n\tat a\n\tat \xff b\r\n2026 fine\n2026 last\n\tat c\n"
RECORDS = ["2026 boom\n\tat a\n\tat \ufffd b", "2026 fine", "2026 last\n\tat c"]


@pytest.mark.parametrize("more", [{}, {"record_id_field": "id"}], ids=["whole chunks", "each with its id"])
async def test_a_stack_trace_is_one_record(
    ship: Start, server: LogServer, log: Path, tmp_path: Path, more: dict[str, Any]
) -> None:
    log.write_bytes(CONTENT)
    files = {"include": [str(log)], "multiline": {"start": r"\d{4} "}}
    shipper = await ship(files=files, sink=more, labels={"app": "web"})
    records = [json.loads(line) for line in await server.has(3)]
    assert [each["message"] for each in records] == RECORDS
    assert {each["app"] for each in records} == {"web"}
    metrics = await shipper.metrics_when(lambda now: now["logshipper_lag_bytes"] == 0)
    assert metrics["logshipper_acked_lines_total"] == 3
    assert imbalance(metrics) == {}
    assert await shipper.stop() == 0


async def test_raw_lines_stay_lines(ship: Start, server: LogServer, log: Path) -> None:
    log.write_bytes(b"2026 boom\n\tat a\n2026 fine\n")
    await ship(files={"include": [str(log)], "multiline": {"continuation": r"\s"}}, sink={"encoding": "raw"})
    assert await server.has(3) == [b"2026 boom", b"\tat a", b"2026 fine"]


async def test_a_refused_record_is_dead_lettered_whole(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    server.answer = lambda request, body: web.Response(status=400 if b"boom" in body else 200)
    log.write_bytes(b"2026 fine\n2026 boom\n\tat a\n2026 fine\n")
    shipper = await ship(files={"include": [str(log)], "multiline": {"start": r"\d{4} "}})
    await server.has(2)
    await shipper.event("record_dead_lettered")
    assert json.loads((tmp_path / "state/dead.jsonl").read_text())["line"] == "2026 boom\n\tat a"


async def test_utf16_arrives_as_text_and_ids_stay_the_same_over_a_restart(
    ship: Start, server: LogServer, log: Path
) -> None:
    log.write_bytes("één\n漢字\n".encode("utf-16"))
    shipper = await ship()
    assert [json.loads(line)["message"] for line in await server.has(2)] == ["één", "漢字"]
    assert await shipper.stop() == 0
    with log.open("ab") as file:
        file.write("drei\n".encode("utf-16-le"))
    await ship()
    assert [json.loads(line)["message"] for line in (await server.has(3))[2:]] == ["drei"]


@pytest.mark.parametrize("rule", [{}, {"start": "a", "continuation": "b"}, {"start": "("}, "some"])
async def test_a_rule_that_is_none_ends_with_64(ship: Start, log: Path, rule: object) -> None:
    shipper = await ship(ready=False, files={"include": [str(log)], "multiline": rule})
    assert await shipper.status() == 64
    assert "files.multiline" in " ".join(shipper.of("settings_refused")[0]["mistakes"])
