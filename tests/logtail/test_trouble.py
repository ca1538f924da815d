"""Which files cannot be followed or read now: counted while it lasts, by kind."""

# ruff: noqa: ASYNC240 (the files are local and small)

import gzip
import os
from pathlib import Path

from .conftest import Follow, Following, append
from .test_opened import Weather


async def looked(tail: Following, log: Path) -> None:
    """It has looked around since, twice: a new file is found by a look."""
    for number in (1, 2):
        marker = log.with_name(f"{len(tail.events.all)}-{number}.log")
        marker.touch()
        while str(marker) not in {each["path"] for each in tail.events.of("file_found")}:
            await tail.look()


async def test_what_is_no_file_is_in_trouble_until_it_is_gone(follow: Follow, log: Path) -> None:
    log.mkdir()
    os.mkfifo(log.with_name("fifo.log"))
    tail = await follow()
    assert tail.tail.stats().in_trouble == {"directory": 1, "no_regular_file": 1}
    log.rmdir()
    log.with_name("fifo.log").unlink()
    await looked(tail, log)
    assert tail.tail.stats().in_trouble == {}
    assert len(tail.events.of("file_not_followed")) == 2


async def test_a_file_takes_the_place_of_a_directory(follow: Follow, log: Path) -> None:
    log.mkdir()
    tail = await follow()
    log.rmdir()
    log.write_bytes(b"one\n")
    assert await tail.lines(1) == [b"one"]
    assert tail.tail.stats().in_trouble == {}


async def test_a_file_that_cannot_be_read_is_in_trouble_until_it_can(follow: Follow, log: Path) -> None:
    weather = Weather()
    log.write_bytes(b"one\n")
    tail = await follow(open_file=weather.open)
    assert await tail.lines(1) == [b"one"]
    weather.failing.add(str(log))
    append(log, b"half a line")
    await tail.event("file_not_followed")
    await looked(tail, log)
    assert tail.tail.stats().in_trouble == {"read_failed": 1}
    weather.failing.clear()
    await looked(tail, log)
    assert tail.tail.stats().in_trouble == {}
    assert len(tail.events.of("file_not_followed")) == 1


async def test_an_error_without_anything_new_to_read_passes_too(follow: Follow, log: Path) -> None:
    weather = Weather()
    log.write_bytes(b"one\n")
    tail = await follow(open_file=weather.open)
    assert await tail.lines(1) == [b"one"]
    weather.failing.add(str(log))
    os.utime(log)
    await tail.event("file_not_followed")
    assert tail.tail.stats().in_trouble == {"read_failed": 1}
    weather.failing.clear()
    await looked(tail, log)
    assert tail.tail.stats().in_trouble == {}


async def test_a_damaged_file_is_in_trouble_under_its_new_name_and_until_it_is_deleted(
    follow: Follow, log: Path
) -> None:
    content = bytearray(gzip.compress(b"one\n"))
    content[-8] ^= 1
    damaged = log.with_name("a.log")
    damaged.write_bytes(content)
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    await tail.event("file_not_followed")
    assert tail.tail.stats().in_trouble == {"damaged": 1}
    os.utime(damaged)
    damaged.rename(log.with_name("b.log"))
    await looked(tail, log)
    assert tail.tail.stats().in_trouble == {"damaged": 1}
    assert len(tail.events.of("file_not_followed")) == 1
    log.with_name("b.log").unlink()
    tail.clock.ahead = 10.0
    await tail.event("file_finished")
    await looked(tail, log)
    assert tail.tail.stats().in_trouble == {}
