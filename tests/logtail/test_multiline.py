"""Records of several lines, as transcripts and through a real file."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtail.multiline import MARK, Multiline
from logtail.turns import CONTINUED_WITHIN_S

from .conftest import Follow, append

START = Multiline(start=r"\d{4}-")
CONTINUATION = Multiline(continuation=r"[ \t]|Caused by:")
TRACE = b"2026-01-01 boom\n\tat a\n\tat b\nCaused by: c\n"


@pytest.mark.parametrize("rule", [START, CONTINUATION])
def test_a_record_is_complete_when_the_next_begins(rule: Multiline) -> None:
    assert rule.complete(TRACE) == 0
    assert rule.complete(TRACE + b"2026-01-02 next\n") == len(TRACE)
    assert rule.mark(TRACE + b"2026-01-02 next\n") == (
        b"2026-01-01 boom\xff\tat a\xff\tat b\xffCaused by: c\n2026-01-02 next\n"
    )


def test_lines_before_the_first_start_belong_together() -> None:
    assert START.mark(b"\tat a\n\tat b\n2026-01-02 next\n") == b"\tat a\xff\tat b\n2026-01-02 next\n"


@given(st.lists(st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"-")), max_size=12))
def test_marking_changes_no_length_and_only_newlines(lines: list[bytes]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    for rule in (START, CONTINUATION):
        marked = rule.mark(content)
        assert len(marked) == len(content)
        assert marked.replace(MARK, b"\n") == content.replace(MARK, b"\xfe")
        assert marked.endswith(b"\n") or not content


async def test_a_record_waits_for_the_next_or_a_pause(follow: Follow, log: Path) -> None:
    log.write_bytes(TRACE[:20])
    tail = await follow(multiline=START)
    append(log, TRACE[20:] + b"2026-01-02 next\n\tat d\n")
    chunk = await tail.chunk()
    assert (chunk.start, chunk.data, chunk.joined) == (0, TRACE[:-1].replace(b"\n", MARK) + b"\n", True)
    tail.clock.ahead += CONTINUED_WITHIN_S
    chunk = await tail.chunk()
    assert (chunk.start, chunk.data) == (len(TRACE), b"2026-01-02 next\xff\tat d\n")
    append(log, b"2026-01-03 more\n2026-01-04 most\n")
    assert (await tail.chunk()).data == b"2026-01-03 more\n"
    assert tail.events.of("file_truncated") == []
    assert [chunk.data for chunk in await tail.drained() if chunk.data] == [b"2026-01-04 most\n"]


async def test_a_record_longer_than_a_chunk_is_cut_between_lines(follow: Follow, log: Path) -> None:
    log.write_bytes(b"2026-01-01 boom\n" + b"\tat somewhere\n" * 100 + b"2026-01-02 next\n")
    tail = await follow(multiline=START, chunk_bytes=256)
    read = b""
    while b"somewhere\n" not in read or len(read) < 1416:
        read += (await tail.chunk()).data
    assert read.replace(MARK, b"\n") == b"2026-01-01 boom\n" + b"\tat somewhere\n" * 100


async def test_the_last_record_of_a_rotated_file_comes_before_the_first_of_the_new_one(
    follow: Follow, log: Path
) -> None:
    log.write_bytes(b"2026-01-01 one\n")
    tail = await follow(multiline=START)
    waiting = asyncio.create_task(tail.tail.next())
    await asyncio.wait((waiting,), timeout=0.05)
    log.rename(log.with_name("app.log.1"))
    log.write_bytes(b"2026-01-02 two\n2026-01-03 three\n")
    chunk = await waiting
    assert chunk is not None
    assert chunk.data == b"2026-01-01 one\n"
    assert await tail.lines(2) == [b"2026-01-02 two", b"2026-01-03 three"]
