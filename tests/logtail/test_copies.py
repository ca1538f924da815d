"""Which files are held back because they may be the copy of a rotation that truncates next, and for how long."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
from pathlib import Path

from logtail.copies import SLOW_S

from .conftest import Follow, append


async def test_two_files_that_begin_alike_and_grow_by_themselves_are_both_followed_soon(
    follow: Follow, log: Path
) -> None:
    """Both are growing, and are the same so far: the second is released long before the time for copies is over."""
    twin = log.with_name("twin.log")
    log.write_bytes(b"started\n")
    tail = await follow()
    assert await tail.lines(1) == [b"started"]
    append(log, b"same\n" * 5)
    assert await tail.lines(5) == [b"same"] * 5
    began = asyncio.get_running_loop().time()
    twin.write_bytes(b"started\n")
    async with asyncio.timeout(1):
        waiting = asyncio.create_task(tail.chunk())
        while not waiting.done():
            append(twin, b"same\n")
            await asyncio.wait((waiting,), timeout=0.02)
        assert (await waiting).source.path == str(twin)
    assert asyncio.get_running_loop().time() - began >= SLOW_S / 2


async def test_two_files_that_begin_alike_and_then_differ_are_both_followed_at_once(follow: Follow, log: Path) -> None:
    log.write_bytes(b"started\none\n")
    tail = await follow()
    assert len(await tail.lines(2)) == 2
    log.with_name("twin.log").write_bytes(b"started\ntwo\n")
    async with asyncio.timeout(1):
        assert await tail.lines(2) == [b"started", b"two"]


async def test_a_copy_that_is_seen_while_still_empty_is_not_replayed(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow("app.log*")
    await tail.chunk()
    copy = log.with_name("app.log.1")
    copy.write_bytes(b"")
    found = tail.events
    while not [each for each in found.of("file_found") if each["path"] == str(copy)]:
        waiting = asyncio.create_task(tail.tail.next())
        await asyncio.wait((waiting,), timeout=0.05)
        waiting.cancel()
        await asyncio.wait((waiting,))
    copy.write_bytes(log.read_bytes())
    log.write_bytes(b"")
    await tail.event("file_truncated")
    append(log, b"three\n")
    assert (await tail.chunk()).data == b"three\n"
