"""Which files are held back because they may be the copy of a rotation that truncates next, and for how long."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from logtail import copies
from logtail.copies import SLOW_S

from .conftest import PATIENCE_S, Follow, Following, append
from .test_opened import Weather

GRACE_S = 10 * PATIENCE_S


@pytest.fixture(autouse=True)
def over_when_the_clock_is_put_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for which files are held back, so that no pause of a busy machine is as long."""
    monkeypatch.setattr(copies, "COPY_GRACE_S", GRACE_S)


async def test_two_files_that_begin_alike_and_grow_by_themselves_are_both_followed_soon(
    follow: Follow, log: Path
) -> None:
    """Both are growing, and are the same so far: the second is never quiet for the time that a copy is."""
    twin = log.with_name("twin.log")
    log.write_bytes(b"started\n")
    tail = await follow()
    assert await tail.lines(1) == [b"started"]
    append(log, b"same\n" * 5)
    assert await tail.lines(5) == [b"same"] * 5
    began = asyncio.get_running_loop().time()
    twin.write_bytes(b"started\n")
    async with asyncio.timeout(PATIENCE_S):
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


def _delete(path: Path) -> None:
    path.unlink()


def _rename_away(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


@pytest.mark.parametrize("lose", [_delete, _rename_away])
@pytest.mark.parametrize("empty_first", [True, False], ids=["found empty", "found full"])
async def test_case_01_what_is_held_back_and_loses_its_name_is_read_all_the_same(
    follow: Follow, log: Path, lose: Callable[[Path], None], empty_first: bool
) -> None:
    log.write_bytes(b"started\nmore\n")
    short = log.with_name("job.log")
    if empty_first:
        short.touch()
    tail = await follow()
    assert len(await tail.lines(2)) == 2
    short.write_bytes(b"started\n")
    await _held_back(tail)
    lose(short)
    tail.clock.ahead += GRACE_S
    chunk = await tail.chunk()
    assert (chunk.data, chunk.source.path) == (b"started\n", str(short))


async def test_case_03_a_copy_that_is_compressed_and_deleted_before_the_truncation_is_seen(
    follow: Follow, log: Path
) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow("app.log*")
    assert len(await tail.lines(2)) == 2
    copy = log.with_name("app.log.1")
    copy.write_bytes(log.read_bytes())
    await _held_back(tail)
    append(copy, b"three\n")  # as if written between the last look and the copy
    log.write_bytes(b"four\n")
    copy.unlink()
    assert sorted(await tail.lines(2)) == [b"four", b"three"]


async def test_what_is_held_back_and_cannot_be_read_any_more_holds_up_no_end(follow: Follow, log: Path) -> None:
    weather = Weather()
    log.write_bytes(b"one\n")
    tail = await follow(open_file=weather.open)
    await tail.chunk()
    twin = log.with_name("twin.log")
    twin.write_bytes(b"one\n")
    await _held_back(tail)
    weather.failing.add(str(twin))
    assert [chunk.source.path for chunk in await tail.drained()] == [str(log)]


async def _held_back(tail: Following) -> None:
    while not tail.tail._follower._copies.suspects:
        waiting = asyncio.create_task(tail.tail.next())
        await asyncio.wait((waiting,), timeout=0.05)
        waiting.cancel()
        await asyncio.wait((waiting,))
