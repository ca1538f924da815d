"""The end: what is shipped before it, by when it comes, and what is said of the rest."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import ClientSession

from .balance import imbalance
from .conftest import LogServer, Shipper, Start
from .test_shipping import append, lines, numbers

BACKLOG_BYTES = 100_000_000
# Where nobody else is at work an empty drain takes 0.8 s. What is told here, on a busy machine too, is an end by itself
# from one that only the deadline brought about.
LONG_S = 15.0


async def quit_quit_quit(shipper: Shipper) -> int:
    async with ClientSession() as session, session.post(f"http://{shipper.ops}/quitquitquit") as answer:
        assert answer.status < 300
    return await shipper.status()


@pytest.mark.parametrize("end", [Shipper.stop, quit_quit_quit])
async def test_case_06_with_nothing_left_it_ends_by_itself(
    ship: Start, server: LogServer, log: Path, end: object
) -> None:
    log.write_bytes(lines(0, 10))
    shipper = await ship(drain={})  # as it comes: quiet for three quarters of a second, 20 s at most
    await server.has(10)
    await shipper.metrics_when(lambda now: now["logshipper_lag_bytes"] == 0)
    began = time.monotonic()
    assert await end(shipper) == 0  # type: ignore[operator]
    assert time.monotonic() - began < LONG_S
    assert len(server.lines) == 10


@pytest.mark.parametrize("end", [Shipper.stop, quit_quit_quit])
async def test_case_06_the_unterminated_last_line_arrives(
    ship: Start, server: LogServer, log: Path, end: object
) -> None:
    log.write_bytes(lines(0, 10) + b"last words")
    shipper = await ship()
    assert await end(shipper) == 0  # type: ignore[operator]
    assert server.lines[-1] == b'{"message":"last words"}'
    assert shipper.of("drain_incomplete") == []


async def test_case_06_sigterm_in_a_backlog_of_100_mb_ends_by_the_deadline_and_the_next_goes_on(
    ship: Start, server: LogServer, log: Path
) -> None:
    width = 200
    count = BACKLOG_BYTES // len(lines(10_000, 10_001, width))
    with log.open("wb") as file:
        for first in range(0, count, 10_000):
            file.write(lines(first, min(first + 10_000, count), width))
    sink = {"batch": {"max_bytes": "128KiB"}, "in_flight": 2}
    shipper = await ship(sink=sink, drain={"deadline": "100ms", "quiet": "0s"})
    await server.has(2_000)
    began = time.monotonic()
    assert await shipper.stop() == 75
    assert time.monotonic() - began < LONG_S
    left = shipper.of("drain_incomplete")[0]
    acked = log.stat().st_size - left["bytes"]
    assert 0 < left["bytes"] < log.stat().st_size
    before = len(server.lines)
    shipper = await ship(sink=sink)
    assert shipper.of("file_found")[0]["offset"] == acked  # the checkpoint is true
    await server.until(lambda server: server.lines[-1].startswith(b'{"n":%d,' % (count - 1)))
    metrics = await shipper.metrics_when(lambda now: now["logshipper_lag_bytes"] == 0)
    assert imbalance(metrics) == {}
    assert metrics["logshipper_acked_bytes_total"] == left["bytes"]
    assert await shipper.stop() == 0
    times = Counter(numbers(server.lines))
    assert len(times) == count
    assert sum(times.values()) - count <= 2 * 128 * 1024 // width  # at most what was under way at the deadline
    assert before < count


async def test_case_06_the_last_words_of_an_app_that_was_idle_arrive(ship: Start, server: LogServer, log: Path) -> None:
    log.write_bytes(lines(0, 10))
    os.utime(log, (0, 0))
    shipper = await ship(drain={"quiet": "4s"})
    await server.has(10)
    await asyncio.sleep(4.1)  # quiet for longer than `drain.quiet` before anybody is told to stop
    stopping = asyncio.create_task(shipper.stop())
    await shipper.event("stop_asked")
    append(log, lines(10, 11))
    assert await stopping == 0
    assert numbers(server.lines) == list(range(11))


async def test_case_06_what_is_written_while_it_drains_arrives_too(ship: Start, server: LogServer, log: Path) -> None:
    log.write_bytes(lines(0, 10))
    shipper = await ship(drain={"quiet": "3s"})  # no pause between two lines is as long
    await server.has(10)
    stopping = asyncio.create_task(shipper.stop())
    await shipper.event("stop_asked")
    for number in range(10, 20):
        append(log, lines(number, number + 1))
        await asyncio.sleep(0.02)
    assert await stopping == 0
    assert numbers(server.lines) == list(range(20))
