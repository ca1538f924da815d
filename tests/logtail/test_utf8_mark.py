"""The mark of UTF-8 at the beginning of a file belongs to no line; anywhere else its bytes are the line's."""

# ruff: noqa: ASYNC240 (the files are local and small)

import gzip
import os
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path

import pytest

from logtail.multiline import Multiline

from .conftest import ByHand, Follow, append


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
async def test_it_is_skipped_and_offsets_are_those_of_the_file(
    follow: Follow, log: Path, pack: Callable[[bytes], bytes]
) -> None:
    log.write_bytes(pack(BOM_UTF8 + b'{"a":1}\n' + BOM_UTF8 + b"two\n"))
    tail = await follow()
    chunk = await tail.chunk()
    assert (chunk.start, chunk.data, chunk.end) == (3, b'{"a":1}\n' + BOM_UTF8 + b"two\n", 18)
    assert tail.events.of("padding_skipped") == []


async def test_a_restart_goes_on_behind_it(follow: Follow, log: Path) -> None:
    log.write_bytes(BOM_UTF8 + b"one\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    await tail.tail.close()
    append(log, b"two\n")
    tail = await follow()
    chunk = await tail.chunk()
    assert (chunk.start, chunk.data) == (7, b"two\n")


async def test_alone_it_is_no_line(follow: Follow, log: Path) -> None:
    log.write_bytes(BOM_UTF8)
    tail = await follow()
    await tail.look()
    append(log, b"one")
    await tail.look()
    append(log, b"\n")
    chunk = await tail.chunk()
    assert (chunk.start, chunk.data) == (3, b"one\n")
    log.with_name("b.log").write_bytes(BOM_UTF8)
    assert [chunk.data for chunk in await tail.drained()] == [b"", b""]


@pytest.mark.parametrize("before", [b"", b"half", b"one\n"], ids=["alone", "half a line", "a record that may go on"])
def test_what_is_written_anew_without_one_is_read_from_its_beginning(log: Path, before: bytes) -> None:
    log.parent.mkdir()
    log.write_bytes(BOM_UTF8 + before)
    tail = ByHand(log, multiline=Multiline(start="[a-z]") if before.endswith(b"\n") else None)
    assert tail.chunk() == b""
    log.write_bytes(b"first line\nsecond\n")
    assert tail.chunk().startswith(b"first line\n")
    tail.follower.close()


async def test_so_is_what_was_written_anew_between_two_starts(follow: Follow, log: Path) -> None:
    log.write_bytes(BOM_UTF8 + b"half")
    tail = await follow()
    await tail.look()
    await tail.tail.close()
    log.write_bytes(b"first line\n")
    tail = await follow()
    chunk = await tail.chunk()
    assert (chunk.start, chunk.data) == (0, b"first line\n")


async def test_half_of_it_is_a_line_like_any_other(follow: Follow, log: Path) -> None:
    log.write_bytes(BOM_UTF8[:2] + b"\n")
    tail = await follow()
    chunk = await tail.chunk()
    assert (chunk.start, chunk.data) == (0, BOM_UTF8[:2] + b"\n")


async def test_a_file_written_anew_has_one_of_its_own(follow: Follow, log: Path) -> None:
    log.write_bytes(BOM_UTF8 + b"one\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    os.truncate(log, 0)
    append(log, BOM_UTF8 + b"x\n")
    assert await tail.lines(1) == [b"x"]
    assert tail.tail.stats().truncations == 1


async def test_it_does_not_count_for_the_longest_line(follow: Follow, log: Path) -> None:
    line = b"x" * 1024 + b"\n"
    log.write_bytes(BOM_UTF8 + line + line)
    tail = await follow()
    assert (await tail.chunk()).data == line + line
    assert tail.tail.stats().long_lines == 0
