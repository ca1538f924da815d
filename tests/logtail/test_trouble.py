"""Which files cannot be followed or read now: counted while it lasts, by kind."""

# ruff: noqa: ASYNC240 (the files are local and small)

import gzip
import os
from pathlib import Path

import pytest

from .conftest import ByHand, Follow, Following, append
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


async def test_a_damaged_file_that_was_emptied_is_in_trouble_no_more(follow: Follow, log: Path) -> None:
    content = bytearray(gzip.compress(b"one\n"))
    content[-8] ^= 1
    log.write_bytes(content)
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    await tail.event("file_not_followed")
    assert tail.tail.stats().in_trouble == {"damaged": 1}
    log.write_bytes(b"")
    await tail.event("file_truncated")
    await looked(tail, log)
    assert tail.tail.stats().in_trouble == {}


async def test_what_took_the_name_of_a_file_is_in_trouble_though_that_one_can_be_read(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    moved = log.rename(tmp_path / "elsewhere")
    log.mkdir()
    for line in (b"two", b"three"):
        append(moved, line + b"\n")
        assert await tail.lines(1) == [line]
        await looked(tail, log)
        assert tail.tail.stats().in_trouble == {"directory": 1}
    assert len(tail.events.of("file_not_followed")) == 1


def test_a_damaged_file_whose_name_is_anothers_when_its_descriptor_was_taken_back(log: Path) -> None:
    content = bytearray(gzip.compress(b"one\n"))
    content[-8] ^= 1
    log.parent.mkdir()
    log.write_bytes(content)
    other = log.with_name("other.log")
    other.write_bytes(b"two\n")
    tail = ByHand(log, other, most_open=1)
    assert [tail.chunk(), tail.chunk()] == [b"one\n", b"two\n"]
    log.rename(log.with_name("app.log.1"))
    log.write_bytes(b"three\n")
    assert [tail.chunk(), tail.chunk()] == [b"three\n", b""]
    assert [each["reason"] for each in tail.of("file_not_followed")] == ["damaged"]
    assert [each["now"] for each in tail.of("file_rotated")] == [str(log.with_name("app.log.1"))]
    tail.follower.close()


@pytest.mark.parametrize("include", ["*.log", "*"])
def test_a_file_renamed_before_a_look_saw_it_is_read_on_though_its_descriptor_was_taken_back(
    log: Path, include: str
) -> None:
    log.parent.mkdir()
    log.write_bytes(b"".join(b"%07d\n" % number for number in range(1024)))  # two pieces
    log.with_name("other.log").write_bytes(log.read_bytes())
    tail = ByHand(log.with_name(include), most_open=1)
    read = tail.chunk() + tail.chunk()  # of each one; the second took the first one's descriptor
    for path in (log, log.with_name("other.log")):
        path.rename(path.with_name(path.name + ".1"))
    log.touch()
    while piece := tail.chunk():
        read += piece
    assert len(read) == 2 * 8192
    assert (tail.of("file_gone"), tail.of("file_not_followed")) == ([], [])
    rotated = {(each["path"], each["now"]) for each in tail.of("file_rotated")}
    assert rotated == {(str(path), f"{path}.1") for path in (log, log.with_name("other.log"))}
    assert len(tail.of("file_rotated")) == tail.follower.stats().rotations == 2
    tail.follower.close()


async def test_case_13_a_link_that_leads_nowhere_is_told_once_and_followed_when_its_target_comes(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    log.symlink_to(tmp_path / "target")
    tail = await follow()
    await tail.look()
    await tail.look()
    assert tail.events.of("file_not_followed") == [{"path": str(log), "reason": "dangling_link"}]
    assert tail.tail.stats().in_trouble == {"dangling_link": 1}
    (tmp_path / "target").write_bytes(b"one\n")
    assert await tail.lines(1) == [b"one"]
    assert tail.tail.stats().in_trouble == {}
    assert len(tail.events.of("file_not_followed")) == 1


def test_a_link_whose_target_is_rotated_is_in_no_trouble_until_a_second_look(log: Path, tmp_path: Path) -> None:
    log.parent.mkdir()
    target = tmp_path / "target"
    target.write_bytes(b"one\n")
    log.symlink_to(target)
    tail = ByHand(log)
    assert tail.chunk() == b"one\n"
    target.rename(tmp_path / "target.1")
    assert tail.chunk() == b""
    target.write_bytes(b"two\n")
    assert tail.chunk() == b"two\n"
    assert tail.of("file_not_followed") == []
    target.rename(tmp_path / "target.2")
    assert (tail.chunk(), tail.of("file_not_followed")) == (b"", [])
    assert (tail.chunk(), len(tail.of("file_not_followed"))) == (b"", 1)
    tail.follower.close()
