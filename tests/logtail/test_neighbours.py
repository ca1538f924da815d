"""A file that cannot be read is its own misfortune: what lies beside it is followed, recognised and ended as ever."""

# ruff: noqa: ASYNC240 (the files are local and small)

import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Follow, append
from .test_opened import Weather

TEXT = b"".join(b"line %d %d\n" % (n, random.Random(n).getrandbits(200)) for n in range(20_000))


def damaged(at: int) -> bytes:
    raw = bytearray(gzip.compress(TEXT))
    raw[at : at + 50] = b"\xff" * 50
    return bytes(raw)


@pytest.mark.parametrize("name", ["app.log.1.gz", "app.log.2.gz"])
async def test_case_03_truncated_beside_a_damaged_copy(follow: Follow, log: Path, name: str) -> None:
    log.with_name(name).write_bytes(damaged(12))
    log.write_bytes(b"one\ntwo\n")
    tail = await follow()
    assert await tail.lines(2) == [b"one", b"two"]
    log.with_name("app.log.1").write_bytes(b"one\ntwo\nthree\n")
    os.truncate(log, 0)
    append(log, b"four\n")
    assert sorted(await tail.lines(2)) == [b"four", b"three"]
    assert tail.tail.stats().truncations == 1


@pytest.mark.parametrize("kept", [True, False], ids=["truncated", "gone"])
async def test_case_03_truncated_while_away_beside_a_damaged_copy(follow: Follow, log: Path, kept: bool) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow()
    assert await tail.lines(2) == [b"one", b"two"]
    await tail.tail.close()
    log.with_name("app.log.2.gz").write_bytes(damaged(12))
    log.with_name("app.log.1").write_bytes(b"one\ntwo\nthree\n")
    if kept:
        log.write_bytes(b"four\n")
    else:
        log.unlink()
    tail = await follow()
    assert sorted(await tail.lines(1 + kept)) == ([b"four", b"three"] if kept else [b"three"])


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
async def test_a_new_file_is_followed_beside_one_that_cannot_be_read(
    follow: Follow, log: Path, pack: Callable[[bytes], bytes]
) -> None:
    weather = Weather()
    log.write_bytes(b"started\nand more than that\n")
    tail = await follow("*.log*", open_file=weather.open)
    assert len(await tail.lines(2)) == 2
    weather.failing.add(str(log))
    log.with_name("new.log").write_bytes(pack(b"started\n"))
    assert await tail.lines(1) == [b"started"]
    assert [each for each in tail.events.of("file_not_followed") if each["path"] != str(log)] == []


async def test_case_06_a_file_that_turns_out_damaged_holds_up_no_end(follow: Follow, log: Path) -> None:
    packed = log.with_name("a.log.gz")
    packed.write_bytes(damaged(200_000))
    log.write_bytes(b"one\npartial")
    tail = await follow("*.log*", chunk_bytes=65536)
    chunks = await tail.drained()
    assert [c.data for c in chunks if c.source.path == str(log)] == [b"one\n", b"partial"]
    of_packed = [c for c in chunks if c.source.path == str(packed)]
    assert b"".join(c.data for c in of_packed)[:65_536] == TEXT[:65_536]
    assert [c.final for c in of_packed] == [False] * (len(of_packed) - 1) + [True]
    assert tail.tail.stats().errors["damaged"] == 1


async def test_case_06_a_file_that_cannot_be_read_any_more_holds_up_no_end(follow: Follow, log: Path) -> None:
    weather = Weather()
    lost = log.with_name("a.log")
    lost.write_bytes(b"one\nhalf")
    tail = await follow(open_file=weather.open)
    first = await tail.chunk()
    log.write_bytes(b"two\npartial")
    assert await tail.lines(1) == [b"two"]
    append(lost, b" a line\n")
    weather.failing.add(str(lost))
    chunks = await tail.drained()
    assert sorted((c.source.path, c.start, c.data, c.final) for c in chunks) == [
        (str(lost), first.end, b"", True),
        (str(log), 4, b"partial", True),
    ]
    await tail.tail.close()
    tail = await follow()
    assert await tail.lines(1) == [b"half a line"], "it is gone on with where it was read to"


async def test_case_06_a_truncation_first_seen_at_the_drain_loses_nothing_after_it(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow()
    assert await tail.lines(2) == [b"one", b"two"]
    os.truncate(log, 0)
    append(log, b"three\nfour")
    chunks = await tail.drained()
    assert [(c.data, c.final) for c in chunks] == [(b"", True), (b"three\n", False), (b"four", True)]
