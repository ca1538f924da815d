"""Following real files through what happens to them. Every case ends with the lines that arrived, each once."""

# ruff: noqa: ASYNC240 (the files are local and small; what happens to them is the subject here)

import asyncio
import os
import select
import shutil
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import OperatorError
from logtail import checkpoint, pace
from logtail.chunk import Chunk
from logtail.copies import COPY_GRACE_S
from logtail.follow import DELETED_AFTER_S, QUIET_S, State
from logtail.tail import Tail

from .conftest import PATIENCE_S, Events, Follow, append, reuse_inode


async def test_lines_as_they_come(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow()
    first = await tail.chunk()
    assert (first.start, first.data, first.end, first.final) == (0, b"one\ntwo\n", 8, False)
    assert first.written_ns == log.stat().st_mtime_ns
    append(log, b"three\n")
    second = await tail.chunk()
    assert (second.start, second.data) == (8, b"three\n")
    assert second.source == first.source
    assert first.source.path == str(log)


async def test_case_10_a_partial_line_waits_for_its_rest(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntw")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    append(log, b"o\nth")
    assert await tail.lines(1) == [b"two"]
    append(log, b"ree\n")
    assert await tail.lines(1) == [b"three"]


async def test_chunks_are_cut_at_a_newline_and_bounded(follow: Follow, log: Path) -> None:
    content = b"".join(b"line %d\n" % number for number in range(5000))
    log.write_bytes(content)
    tail = await follow()
    chunks = [await tail.chunk()]
    while chunks[-1].end < len(content):
        chunks.append(await tail.chunk())
    assert b"".join(chunk.data for chunk in chunks) == content
    assert all(len(chunk.data) <= 4096 and chunk.data.endswith(b"\n") for chunk in chunks)
    assert len(await _next_of(tail.tail, b"x\n" * 500, log, max_bytes=100)) <= 100


async def _next_of(tail: Tail, content: bytes, log: Path, max_bytes: int) -> bytes:
    append(log, content)
    chunk = await asyncio.wait_for(tail.next(max_bytes), PATIENCE_S)
    assert chunk is not None
    return chunk.data


async def test_a_line_longer_than_a_chunk_comes_whole(follow: Follow, log: Path) -> None:
    log.write_bytes(b"a" * 900 + b"\nb\n")
    tail = await follow(chunk_bytes=256)
    assert await tail.lines(2) == [b"a" * 900, b"b"]


async def test_case_09_a_line_over_the_limit_is_split_marked_and_counted(follow: Follow, log: Path) -> None:
    log.write_bytes(b"before\n" + b"x" * 2500 + b"\nafter\n")
    tail = await follow()
    chunks = [await tail.chunk() for _ in range(5)]
    assert [(len(chunk.data), chunk.piece) for chunk in chunks] == [
        (7, False),
        (1024, True),
        (1024, True),
        (453, True),
        (6, False),
    ]
    assert tail.events.of("line_too_long") == [{"path": str(log), "offset": 7, "limit": 1024}]
    assert tail.tail.stats().long_lines == 1


async def test_a_cancelled_next_loses_nothing(follow: Follow, log: Path) -> None:
    log.write_bytes(b"")
    tail = await follow()
    for number in range(20):
        waiting = asyncio.create_task(tail.tail.next())
        await asyncio.sleep(0)
        append(log, b"line %d\n" % number)
        await asyncio.sleep(0.001 * (number % 5))
        waiting.cancel()
        result = (await asyncio.gather(waiting, return_exceptions=True))[0]
        chunk = await tail.chunk() if isinstance(result, asyncio.CancelledError) else result
        assert chunk.data == b"line %d\n" % number
        tail.tail.ack(chunk)


# ---- rotation


async def test_case_01_rename_and_recreate(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    with log.open("ab") as writer:  # the writer keeps its descriptor over the rename
        log.rename(log.with_name("app.log.1"))
        writer.write(b"two, to the old file\n")
        writer.flush()
        log.write_bytes(b"three\n")
        assert await tail.lines(2) == [b"two, to the old file", b"three"]
        writer.write(b"four, to the old file, late\n")
    assert await tail.lines(1) == [b"four, to the old file, late"]
    assert tail.events.of("file_rotated")[0]["path"] == str(log)


async def test_several_renames_between_two_looks(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    append(log, b"two\n")
    log.rename(log.with_name("app.log.2"))
    log.write_bytes(b"lived between two looks\n")
    log.rename(log.with_name("app.log.1"))
    log.write_bytes(b"three\n")
    # The file in the middle never had a matching name at a look, unless one of the looks was quick enough.
    lines = await tail.lines(2)
    if b"lived between two looks" in lines:
        lines = [line for line in lines if b"lived" not in line] + await tail.lines(1)
    assert lines == [b"two", b"three"]


async def test_several_renames_with_a_glob_that_covers_them(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow("app.log*")
    generation = (await tail.chunk()).source.generation
    append(log, b"two\n")
    log.rename(log.with_name("app.log.2"))
    log.write_bytes(b"three\n")
    log.rename(log.with_name("app.log.1"))
    log.write_bytes(b"four\n")
    chunks = [await tail.chunk() for _ in range(3)]
    assert sorted(chunk.data for chunk in chunks) == [b"four\n", b"three\n", b"two\n"]
    assert next(chunk for chunk in chunks if chunk.data == b"two\n").source.generation == generation


async def test_case_01_a_deleted_file_is_read_to_its_end_and_then_let_go(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    with log.open("ab") as writer:
        log.unlink()
        writer.write(b"two\nhalf a li")
    assert await tail.lines(1) == [b"two"]
    await tail.event("file_rotated")
    tail.clock.ahead += QUIET_S[State.UNLINKED]
    final = await tail.chunk()
    assert (final.data, final.final) == (b"half a li", True)
    assert (await tail.event("file_finished"))["path"] == str(log)
    assert tail.tail.stats().files == 0


async def test_case_01_a_deleted_file_is_not_let_go_while_bytes_are_in_flight(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    chunk = await tail.chunk(ack=False)
    log.unlink()
    await tail.event("file_rotated")
    tail.clock.ahead += QUIET_S[State.UNLINKED] * 10
    other = log.with_name("other.log")
    other.write_bytes(b"two\n")
    assert await tail.lines(1) == [b"two"]
    assert tail.tail.stats().files == 2
    tail.tail.ack(chunk)
    assert (await tail.chunk()).final
    await tail.event("file_finished")


async def test_case_02_delete_and_recreate_maybe_on_the_same_inode(follow: Follow, log: Path) -> None:
    log.write_bytes(b"the old file\n")
    tail = await follow()
    old = await tail.chunk()
    await tail.tail.close()
    inode = log.stat().st_ino
    log.unlink()
    for number in range(50):  # many file systems give the inode out again soon
        fresh = log.with_name(f"{number}.fresh")
        fresh.write_bytes(b"the new file, longer than the old one was\n")
        if fresh.stat().st_ino == inode:
            break
    fresh.rename(log)
    tail = await follow()
    new = await tail.chunk()
    assert (new.start, new.data) == (0, b"the new file, longer than the old one was\n")
    assert new.source.generation != old.source.generation


async def test_case_13_a_retargeted_link_is_a_rotation(follow: Follow, log: Path, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"one\n")
    (tmp_path / "two").write_bytes(b"two\n")
    log.symlink_to(tmp_path / "one")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    (tmp_path / "link").symlink_to(tmp_path / "two")
    (tmp_path / "link").rename(log)
    append(tmp_path / "one", b"one, late\n")
    assert sorted(await tail.lines(2)) == [b"one, late", b"two"]


async def test_case_13_a_link_and_its_target_that_both_match_are_one_file(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    log.with_name("link.log").symlink_to(log)
    tail = await follow()
    chunk = await tail.chunk()
    assert (chunk.data, chunk.source.path) == (b"one\n", str(log))
    assert await tail.drained() == [Chunk(chunk.source, 4, b"", final=True)]


async def test_case_13_a_link_retargeted_while_away_loses_nothing_of_the_old_target(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    one, two = tmp_path / "elsewhere/one", tmp_path / "elsewhere/two"
    one.write_bytes(b"one\n")
    two.write_bytes(b"two\n")
    log.symlink_to(one)
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    await tail.tail.close()
    append(one, b"one, late\n")
    (tmp_path / "link").symlink_to(two)
    (tmp_path / "link").rename(log)
    tail = await follow()
    assert sorted(await tail.lines(2)) == [b"one, late", b"two"]
    await tail.tail.close()
    append(one, b"one, later\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one, later"]


async def test_case_13_a_link_retargeted_while_away_before_anything_was_read(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    one, two = tmp_path / "elsewhere/one", tmp_path / "elsewhere/two"
    one.write_bytes(b"")
    two.write_bytes(b"two\n")
    log.symlink_to(one)
    tail = await follow()
    await tail.tail.close()
    append(one, b"one\n")
    (tmp_path / "link").symlink_to(two)
    (tmp_path / "link").rename(log)
    tail = await follow()
    assert sorted(await tail.lines(2)) == [b"one", b"two"]


@pytest.fixture
def only_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind working hints no look by itself is waited for."""
    for name in ("HINTED_POLL_S", "MOST_CALM_POLL_S"):
        monkeypatch.setattr(pace, name, 10 * PATIENCE_S)


async def test_a_write_through_a_link_is_seen_as_soon_as_any_other(
    only_hints: None, follow: Follow, log: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/one").write_bytes(b"one\n")
    log.symlink_to(tmp_path / "elsewhere/one")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    await _looks(tail, 2)
    append(tmp_path / "elsewhere/one", b"two\n")
    assert await tail.lines(1) == [b"two"]


async def test_a_file_left_out_while_bytes_are_in_flight_repeats_none_when_it_matches_again(
    follow: Follow, log: Path
) -> None:
    log.write_bytes(b"one\n")
    other = log.with_name("other.txt")
    tail = await follow()
    first = await tail.chunk(ack=False)
    settings: Any = {"exclude": [], "max_line_bytes": 1024, "chunk_bytes": 4096, "multiline": None}
    await tail.tail.reload(include=[str(other)], delete_after_ack=False, **settings)
    assert await tail.chunk() == Chunk(first.source, 4, b"", final=True)
    append(log, b"two\n")
    tail.tail.ack(first)
    other.write_bytes(b"other\n")
    assert await tail.lines(1) == [b"other"]
    assert tail.tail.stats().files == 1
    await tail.tail.reload(include=[str(log)], delete_after_ack=False, **settings)
    chunk = await tail.chunk()
    while not chunk.data:
        chunk = await tail.chunk()
    assert (chunk.source.generation, chunk.start, chunk.data) == (first.source.generation, 4, b"two\n")


async def test_a_file_in_a_new_directory_is_seen_as_soon_as_any_other(
    only_hints: None, follow: Follow, log: Path
) -> None:
    log.write_bytes(b"one\n")
    tail = await follow("**/*.log")
    assert await tail.lines(1) == [b"one"]
    waiting = asyncio.create_task(tail.tail.next())
    new = log.parent / "new@place/below"
    for step in (lambda: None, lambda: new.mkdir(parents=True), lambda: (new / "b.log").write_bytes(b"two\n")):
        step()
        await asyncio.wait((waiting,), timeout=0.1)
    chunk = await asyncio.wait_for(waiting, PATIENCE_S)
    assert chunk is not None
    assert chunk.data == b"two\n"


# ---- truncation


async def test_case_03_truncated_and_written_anew(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow()
    old = await tail.chunk()
    log.write_bytes(b"three\n")
    assert (end := await tail.chunk()).final
    assert end.source == old.source
    new = await tail.chunk()
    assert (new.start, new.data) == (0, b"three\n")
    assert new.source.generation != old.source.generation
    assert tail.events.of("file_truncated")[0]["offset"] == 8


async def test_case_03_truncated_and_regrown_past_the_offset(follow: Follow, log: Path) -> None:
    log.write_bytes(b"#head\none\n")
    tail = await follow()
    await tail.chunk()
    log.write_bytes(b"#head\ntwo\nthree\nfour\n")
    assert (await tail.chunk()).final
    assert await tail.lines(4) == [b"#head", b"two", b"three", b"four"]


ALIKE = b"a line like all others, of fixed length, and nothing to tell it\n"


async def test_case_03_truncated_and_regrown_with_lines_that_are_all_alike(follow: Follow, log: Path) -> None:
    log.write_bytes(b"first\n" + ALIKE * 5)
    tail = await follow()
    await tail.chunk()
    log.write_bytes(b"other\n" + ALIKE * 7)
    assert (await tail.chunk()).final
    assert await tail.lines(8) == [b"other", *[ALIKE.rstrip()] * 7]
    assert tail.tail.stats().truncations == 1


async def test_case_03_truncated_and_regrown_between_two_chunks(follow: Follow, log: Path) -> None:
    log.write_bytes(b"first\n" + ALIKE * 200)
    tail = await follow()
    await tail.chunk()
    log.write_bytes(b"other\n" + ALIKE * 200)
    os.utime(log, ns=(0, log.stat().st_mtime_ns + 10**9))
    end = await tail.chunk()
    assert (end.data, end.final) == (b"", True)
    assert await tail.lines(201) == [b"other", *[ALIKE.rstrip()] * 200]


async def test_case_03_truncated_under_a_writer_that_does_not_append(follow: Follow, log: Path) -> None:
    with log.open("wb", buffering=0) as writer:
        writer.write(b"one\ntwo\n")
        tail = await follow()
        assert await tail.lines(2) == [b"one", b"two"]
        os.truncate(log, 0)
        writer.write(b"three\n")  # at its old offset: the file now begins with a hole
    assert (await tail.chunk()).final
    chunk = await tail.chunk()
    assert (chunk.start, chunk.data) == (8, b"three\n")
    assert tail.events.of("padding_skipped")[0]["bytes"] == 8


async def test_the_copy_of_a_truncated_file_is_read_on_even_when_no_glob_matches_it(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    first = await tail.chunk()
    append(log, b"two, just before the copy\n")
    shutil.copy(log, log.with_name("app.log.1"))
    log.write_bytes(b"three\n")
    rest = await tail.chunk()
    if rest.data == b"two, just before the copy\n":  # either read in time, or rescued from the copy
        assert rest.source == first.source
    chunks = [rest, await tail.chunk()]
    assert [chunk.data for chunk in chunks] == [b"two, just before the copy\n", b"three\n"]


@pytest.mark.parametrize(
    ("include", "restarted"),
    [("*.log", False), ("app.log*", False), ("app.log*", True)],
    ids=["copy does not match", "copy matches", "copy matches, restarted"],
)
async def test_case_03_copied_and_truncated_while_all_is_in_flight_and_a_rest_unread(
    follow: Follow, log: Path, include: str, restarted: bool
) -> None:
    """As while the sink is away: nothing is acknowledged, and what was not read yet is in the copy alone."""
    log.write_bytes(b"one\ntwo\n")
    tail = await follow(include)
    first = await tail.chunk(ack=False)
    append(log, b"three\n")
    shutil.copy(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    append(log, b"four\n")
    if not restarted:
        assert sorted(await tail.lines(2)) == [b"four", b"three"]
        tail.tail.ack(first)
    await tail.tail.close()
    tail = await follow(include)
    again = [line for chunk in await tail.drained() for line in chunk.data.splitlines()]
    assert sorted(again) == ([b"four", b"one", b"three", b"two"] if restarted else [])


async def test_case_03_a_matching_copy_is_not_replayed(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow("app.log*")
    await tail.chunk()
    shutil.copy(log, log.with_name("app.log.1"))
    await _looks(tail, 3)
    log.write_bytes(b"")
    await tail.event("file_truncated")
    append(log, b"three\n")
    assert (await tail.chunk()).data == b"three\n"
    assert tail.events.of("file_truncated")[0]["copy"] == str(log.with_name("app.log.1"))


async def test_case_03_a_copy_of_a_file_of_which_nothing_was_read_is_found_by_the_globs(
    follow: Follow, log: Path
) -> None:
    """Nothing tells it from any other file, so it is one; only its name can bring it in."""
    log.touch()
    tail = await follow("*.log*")
    append(log, b"one\n")
    shutil.copyfile(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    append(log, b"two\n")
    assert sorted(await tail.lines(2)) == [b"one", b"two"]
    assert b"".join(chunk.data for chunk in await tail.drained()) == b""


async def test_case_03_a_matching_copy_of_a_file_that_grew_back_at_once_is_not_replayed(
    follow: Follow, log: Path
) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow("*.log*")
    assert await tail.lines(2) == [b"one", b"two"]
    shutil.copyfile(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    append(log, b"three\nfour\nfive\n")
    assert await tail.lines(3) == [b"three", b"four", b"five"]
    assert (await tail.event("file_truncated"))["copy"] == str(log.with_name("app.log.1"))
    assert b"".join(chunk.data for chunk in await tail.drained()) == b""


async def test_case_03_copied_truncated_and_renamed_while_away(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow("*.log*")
    assert await tail.lines(2) == [b"one", b"two"]
    await tail.tail.close()
    shutil.copyfile(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    append(log, b"three\n")
    append(log.rename(log.with_name("app.log.2")), b"four\n")
    tail = await follow("*.log*")
    assert await tail.lines(2) == [b"three", b"four"]
    assert (await tail.event("file_truncated"))["copy"] == str(log.with_name("app.log.1"))
    assert b"".join(chunk.data for chunk in await tail.drained()) == b""


async def test_case_03_copied_truncated_and_deleted_while_away(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow()
    assert await tail.lines(2) == [b"one", b"two"]
    await tail.tail.close()
    append(log, b"three\n")
    shutil.copyfile(log, log.with_name("app.log.1"))
    os.truncate(log, 0)
    log.unlink()
    tail = await follow()
    assert await tail.lines(1) == [b"three"]
    assert tail.events.of("file_gone") == []


async def test_case_02_a_copy_made_while_away_is_known_though_it_has_the_inode_of_another_remembered_file(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    other, copy = log.with_name("other.log"), log.with_name("app.log.1")
    log.write_bytes(b"one\ntwo\n")
    other.touch()
    tail = await follow("*.log*")
    assert await tail.lines(2) == [b"one", b"two"]
    await tail.tail.close()
    other.unlink()
    shutil.copyfile(log, copy)
    os.truncate(log, 0)
    append(log.rename(log.with_name("app.log.2")), b"three\n")
    reuse_inode(tmp_path / "state/tail.json", other, copy)
    tail = await follow("*.log*")
    assert await tail.lines(1) == [b"three"]
    assert (await tail.event("file_truncated"))["copy"] == str(copy)
    assert b"".join(chunk.data for chunk in await tail.drained()) == b""


async def test_case_02_deleted_while_away_is_said_though_another_file_has_its_inode(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    await tail.tail.close()
    log.unlink()
    log.with_name("new.log").write_bytes(b"two\n")
    reuse_inode(tmp_path / "state/tail.json", log, log.with_name("new.log"))
    tail = await follow()
    assert await tail.lines(1) == [b"two"]
    assert tail.events.of("file_gone") == [{"path": str(log), "offset": 4}]


async def test_a_copy_made_while_nobody_looked_is_not_replayed(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow("app.log*")
    first = await tail.chunk()
    await tail.tail.close()
    append(log, b"two\n")
    shutil.copy(log, log.with_name("app.log.1"))
    log.write_bytes(b"three\n")
    tail = await follow("app.log*")
    chunks = sorted([await tail.chunk(), await tail.chunk()], key=lambda chunk: chunk.start)
    assert [chunk.data for chunk in chunks] == [b"three\n", b"two\n"]
    assert chunks[1].source == first.source


async def test_case_02_a_file_that_only_begins_like_another_is_shipped_whole(follow: Follow, log: Path) -> None:
    log.write_bytes(b"started\n")
    tail = await follow()
    assert await tail.lines(1) == [b"started"]
    log.with_name("twin.log").write_bytes(b"started\n")
    await _looks(tail, 3)
    tail.clock.ahead += COPY_GRACE_S
    twin = await tail.chunk()
    assert (twin.data, twin.source.path) == (b"started\n", str(log.with_name("twin.log")))


async def _looks(tail: object, count: int) -> None:
    """Let the tail look around `count` times, with nothing to hand out."""
    from .conftest import Following

    assert isinstance(tail, Following)
    for _ in range(count):
        waiting = asyncio.create_task(tail.tail.next())
        await asyncio.sleep(0.06)
        waiting.cancel()
        assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], asyncio.CancelledError)


# ---- restart


async def test_case_04_a_restart_goes_on_where_acknowledgements_ended(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    first = await tail.chunk()
    append(log, b"two\n")
    await tail.chunk(ack=False)
    await tail.tail.close()
    tail = await follow()
    again = await tail.chunk()
    assert (again.start, again.data, again.source) == (4, b"two\n", first.source)


async def test_case_10_a_restart_in_the_middle_of_a_line(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\nhal")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    await tail.tail.close()
    append(log, b"f\n")
    tail = await follow()
    assert await tail.lines(1) == [b"half"]


async def test_renamed_while_away_to_a_name_that_matches(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow("app.log*", chunk_bytes=4)
    first = await tail.chunk()
    await tail.tail.close()
    log.rename(log.with_name("app.log.1"))
    log.write_bytes(b"three\n")
    tail = await follow("app.log*")
    chunks = {chunk.data: chunk for chunk in [await tail.chunk(), await tail.chunk()]}
    assert chunks.keys() == {b"two\n", b"three\n"}
    assert chunks[b"two\n"].source == first.source


async def test_renamed_while_away_to_a_name_that_does_not_match(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow(chunk_bytes=4)
    first = await tail.chunk()
    await tail.tail.close()
    log.rename(log.with_name("app.log.1"))
    log.write_bytes(b"three\n")
    tail = await follow()
    rest = await tail.chunk()
    assert (rest.data, rest.source) == (b"two\n", first.source)
    assert await tail.lines(1) == [b"three"]


async def test_renamed_while_away_before_anything_was_written(follow: Follow, log: Path) -> None:
    log.write_bytes(b"")
    tail = await follow()
    await tail.tail.close()
    log.rename(log.with_name("app.log.1"))
    append(log.with_name("app.log.1"), b"one\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]


async def test_renamed_file_is_found_again_by_every_later_start(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\nsix\n")
    tail = await follow(chunk_bytes=4)
    assert await tail.lines(1) == [b"one"]
    await tail.tail.close()
    log.rename(log.with_name("app.log.1"))
    for line in (b"two", b"six"):
        tail = await follow(chunk_bytes=4)
        assert await tail.lines(1) == [line]
        await tail.tail.close()
    tail = await follow()
    append(log.with_name("app.log.1"), b"late\n")
    assert await tail.lines(1) == [b"late"]


async def test_truncated_and_regrown_while_away(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    first = await tail.chunk()
    await tail.tail.close()
    log.write_bytes(b"uno\ndos\n")
    tail = await follow()
    chunk = await tail.chunk()
    assert (chunk.start, chunk.data) == (0, b"uno\ndos\n")
    assert chunk.source.generation != first.source.generation


async def test_a_file_is_remembered_before_it_is_said_to_be_found(follow: Follow, log: Path, tmp_path: Path) -> None:
    """Killed right after it said so, and the file renamed out of the globs meanwhile: still found again."""
    log.write_bytes(b"one\n")
    state = tmp_path / "state/tail.json"
    remembered = []

    class Witness(Events):
        def info(self, event: str, **facts: Any) -> None:
            super().info(event, **facts)
            remembered.append(facts["generation"] in state.read_text())

    tail = await follow(events=Witness())
    assert remembered == [True]
    log.with_name("new.log").touch()
    assert await tail.lines(1) == [b"one"]
    while len(remembered) < 2:
        await _looks(tail, 1)
    assert remembered == [True, True]


async def test_deleted_while_away_is_said(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    await tail.chunk()
    await tail.tail.close()
    log.unlink()
    tail = await follow()
    assert tail.events.of("file_gone") == [{"path": str(log), "offset": 4}]


async def test_start_at_the_end_holds_for_the_first_start_only(follow: Follow, log: Path) -> None:
    log.write_bytes(b"old\nhalf ")
    tail = await follow(start_at="end")
    append(log, b"and half\n")
    assert await tail.lines(1) == [b"half and half"]
    log.with_name("later.log").write_bytes(b"from its beginning\n")
    assert await tail.lines(1) == [b"from its beginning"]
    await tail.tail.close()
    log.with_name("while-away.log").write_bytes(b"too\n")
    tail = await follow(start_at="end")
    assert await tail.lines(1) == [b"too"]


async def test_a_generation_is_known_as_long_as_it_may_be_handed_out_again(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    old = await tail.chunk(ack=False)
    log.write_bytes(b"\n")
    assert (await tail.chunk()).final
    new = await tail.chunk()
    assert await tail.tail.generations() == {old.source.generation, new.source.generation}
    tail.tail.ack(old)
    await tail.tail.close()
    tail = await follow()
    assert await tail.tail.generations() == {new.source.generation}


async def test_extra_is_stored_beside_the_offsets(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    chunk = await tail.chunk(ack=False)
    tail.tail.ack(chunk, extra={"output": 17})
    assert await tail.tail.save()
    tail = await follow()
    assert tail.tail.extra == {"output": 17}


async def test_no_position_is_saved_without_the_extra_that_came_with_it(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    log.write_bytes(b"one\n")
    tail = await follow(autosave=False)
    path = tmp_path / "state/tail.json"
    for offset, extra in ((4, {"output": 17}), (8, {"output": 34}), (12, None)):
        tail.tail.ack(await tail.chunk(ack=False), extra)
        await tail.tail._saver._save_changes(path)  # the quick way, due soon after an acknowledgement
        saved = checkpoint.load(path)
        assert saved is not None
        assert ([each.offset for each in saved.files], saved.extra) == ([offset], extra or {"output": 34})
        append(log, b"two\n")


# ---- deletion


@pytest.mark.parametrize("pattern", ["*.log", "app.log*"])
async def test_a_rotated_file_is_deleted_when_all_of_it_is_acknowledged(
    follow: Follow, log: Path, pattern: str
) -> None:
    rotated = log.with_name("app.log.1")
    log.write_bytes(b"one\nhalf")
    tail = await follow(pattern, delete_after_ack=True)
    chunk = await tail.chunk(ack=False)
    log.rename(rotated)
    log.write_bytes(b"two\n")
    assert (await tail.chunk()).data == b"two\n"
    tail.clock.ahead += DELETED_AFTER_S
    await _looks(tail, 3)
    assert rotated.exists()
    tail.tail.ack(chunk)
    final = await tail.chunk()
    assert (final.data, final.final) == (b"half", True)
    assert await tail.event("file_deleted") == {"path": str(rotated), "deleted": True}
    assert not rotated.exists()
    assert log.exists()
    assert tail.tail.stats().deleted == 1


async def test_a_file_that_is_written_to_while_its_last_line_is_in_flight_is_not_deleted(
    follow: Follow, log: Path
) -> None:
    rotated = log.with_name("app.log.1")
    log.write_bytes(b"one\nhalf")
    tail = await follow("app.log*", delete_after_ack=True)
    await tail.chunk()
    log.rename(rotated)
    await tail.event("file_rotated")
    tail.clock.ahead += DELETED_AFTER_S
    final = await tail.chunk(ack=False)
    assert (final.data, final.final) == (b"half", True)
    append(rotated, b", and the rest\nanother\n")
    tail.tail.ack(final)
    rest = [await tail.chunk(), await tail.chunk()]
    assert [(chunk.start, chunk.data) for chunk in rest] == [(8, b", and the rest\n"), (23, b"another\n")]
    assert tail.events.of("file_deleted") == []
    tail.clock.ahead += DELETED_AFTER_S
    assert (await tail.chunk()).final
    assert (await tail.event("file_deleted"))["deleted"]
    assert len(tail.events.of("file_rotated")) == 1


@pytest.mark.parametrize("removed", [False, True])
async def test_a_file_that_is_written_to_while_its_last_line_is_in_flight_is_not_let_go(
    follow: Follow, log: Path, removed: bool
) -> None:
    log.write_bytes(b"one\nhalf")
    tail = await follow()
    await tail.chunk()
    with log.open("ab") as writer:
        if removed:
            log.unlink()
        else:
            log.rename(log.with_name("app.log.1"))
        await tail.event("file_rotated")
        tail.clock.ahead += QUIET_S[State.ROTATED]
        final = await tail.chunk(ack=False)
        assert (final.data, final.final) == (b"half", True)
        writer.write(b", and the rest\n")
    tail.tail.ack(final)
    assert (await tail.chunk()).data == b", and the rest\n"
    tail.clock.ahead += QUIET_S[State.ROTATED]
    assert (await tail.chunk()).final
    assert (await tail.event("file_finished"))["offset"] == 23
    assert len(tail.events.of("file_rotated")) == 1


async def test_a_file_at_its_own_name_is_never_deleted(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow(delete_after_ack=True)
    await tail.chunk()
    tail.clock.ahead += DELETED_AFTER_S * 10
    await _looks(tail, 3)
    assert log.exists()


# ---- drain


async def test_case_06_drain_hands_out_the_unterminated_line_and_ends(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntw")
    tail = await follow()
    assert [(chunk.data, chunk.final) for chunk in await tail.drained()] == [(b"one\n", False), (b"tw", True)]
    await tail.tail.close()
    append(log, b"o\nthree\n")
    tail = await follow()
    chunks = [await tail.chunk(), await tail.chunk()]
    assert [(chunk.start, chunk.data, chunk.piece) for chunk in chunks] == [(6, b"o\n", True), (8, b"three\n", False)]


async def test_drain_finds_a_file_that_was_created_just_before(follow: Follow, log: Path) -> None:
    tail = await follow()
    log.write_bytes(b"last words")
    assert [chunk.data for chunk in await tail.drained()] == [b"last words"]


async def test_drain_of_nothing_ends_at_once(follow: Follow, log: Path) -> None:
    """Whatever the quiet time: where no file is, none can be quiet."""
    tail = await follow()
    tail.tail.drain(quiet=3600)
    assert await asyncio.wait_for(tail.tail.next(), PATIENCE_S) is None


async def test_drain_waits_until_all_files_were_quiet_for_one_period(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    tail.clock.ahead += 3600  # quiet before the drain counts for nothing
    tail.tail.drain(quiet=3600)
    tail.clock.ahead += 3500
    append(log, b"two\n")
    assert await tail.lines(1) == [b"two"]
    tail.clock.ahead += 3500
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(tail.tail.next(), 0.2)
    tail.clock.ahead += 100
    last = await tail.chunk()
    assert (last.data, last.final) == (b"", True)
    assert await asyncio.wait_for(tail.tail.next(), PATIENCE_S) is None


# ---- trouble


async def test_a_glob_without_a_match_is_said_once_and_picked_up_later(follow: Follow, log: Path) -> None:
    tail = await follow("app.log", "other.log")
    patterns = [each["pattern"] for each in tail.events.of("glob_matches_nothing")]
    assert [Path(each).name for each in patterns] == ["app.log", "other.log"]
    log.write_bytes(b"one\n")
    assert await tail.lines(1) == [b"one"]


async def test_a_directory_and_a_fifo_are_said_once_and_block_nothing(follow: Follow, log: Path) -> None:
    log.mkdir()
    os.mkfifo(log.with_name("fifo.log"))
    log.with_name("good.log").write_bytes(b"one\n")
    tail = await follow()
    assert await tail.lines(1) == [b"one"]
    await _looks(tail, 3)
    reasons = {Path(each["path"]).name: each["reason"] for each in tail.events.of("file_not_followed")}
    assert reasons == {"app.log": "directory", "fifo.log": "no_regular_file"}
    assert len(tail.events.of("file_not_followed")) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_an_unreadable_file_is_said_and_picked_up_later(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    log.chmod(0)
    tail = await follow()
    await tail.event("file_not_followed")
    log.chmod(0o600)
    assert await tail.lines(1) == [b"one"]


async def test_a_damaged_gzip_file_is_said_and_left_alone(follow: Follow, log: Path) -> None:
    log.write_bytes(b"\x1f\x8b\x08 no text")
    tail = await follow()
    assert (await tail.event("file_not_followed"))["reason"] == "damaged"
    log.with_name("good.log").write_bytes(b"one\n")
    assert await tail.lines(1) == [b"one"]
    assert len(tail.events.of("file_not_followed")) == 1


async def test_case_04_a_later_acknowledgement_never_skips_an_earlier_failure(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\nsix\n")
    tail = await follow(chunk_bytes=4)
    first, second, third = [await tail.chunk(ack=False) for _ in range(3)]
    tail.tail.ack(first)
    tail.tail.ack(third)
    await tail.tail.close()
    tail = await follow(chunk_bytes=4)
    assert [(await tail.chunk()).data for _ in range(2)] == [second.data, third.data]


async def test_case_05_a_broken_checkpoint_is_put_aside_and_said(follow: Follow, log: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/tail.json").write_text("{")
    log.write_bytes(b"one\n")
    tail = await follow()
    assert tail.events.of("checkpoint_unusable")[0]["moved_to"] == str(tmp_path / "state/tail.json.unusable-1")
    assert await tail.lines(1) == [b"one"]


async def test_case_05_with_a_broken_checkpoint_no_backlog_is_skipped(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    log.write_bytes(b"before the first start\n")
    tail = await follow(start_at="end")
    append(log, b"one\n")
    assert await tail.lines(1) == [b"one"]
    await tail.tail.close()
    append(log, b"two\n")
    (tmp_path / "state/tail.json").write_text("{")
    tail = await follow(start_at="end")
    assert await tail.lines(3) == [b"before the first start", b"one", b"two"]


async def test_a_checkpoint_that_cannot_be_written_degrades_and_recovers(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    in_the_way = tmp_path / "state/tail.json.tmp"
    in_the_way.mkdir()
    assert await tail.lines(1) == [b"one"]
    assert not await tail.tail.save()
    assert not await tail.tail.save()
    assert tail.tail.degraded
    assert len(tail.events.of("checkpoint_write_failed")) == 1
    append(log, b"two\n")
    assert await tail.lines(1) == [b"two"]
    in_the_way.rmdir()
    assert await tail.tail.save()
    assert not tail.tail.degraded
    assert len(tail.events.of("checkpoint_written_again")) == 1


async def test_a_save_that_is_cancelled_while_it_fails_is_not_taken_for_done(follow: Follow, tmp_path: Path) -> None:
    tail = await follow(autosave=False)
    extra = {"more than a pipe holds": "x" * 1_000_000}
    path = tmp_path / "state/tail.json"
    os.mkfifo(path.with_name("tail.json.tmp"))
    reader = os.open(path.with_name("tail.json.tmp"), os.O_RDONLY | os.O_NONBLOCK)
    saving = asyncio.create_task(tail.tail.save(extra))
    assert (await asyncio.to_thread(select.select, [reader], [], [], PATIENCE_S))[0]
    saving.cancel()
    await asyncio.wait((saving,))
    assert saving.cancelled()
    path.with_name("tail.json.tmp").unlink()
    os.close(reader)
    assert await tail.tail.save()
    saved = checkpoint.load(path)
    assert saved is not None
    assert saved.extra == extra


async def test_changes_are_not_taken_for_saved_on_top_of_a_checkpoint_that_failed(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    log.write_bytes(b"one\n")
    tail = await follow(autosave=False)
    await tail.lines(1)
    path = tmp_path / "state/tail.json"
    path.with_name("tail.json.tmp").mkdir()
    saving = asyncio.create_task(tail.tail.save())
    for _ in range(2):
        await asyncio.sleep(0)  # it begins
    changes = asyncio.create_task(tail.tail._saver._save_changes(path))  # due while that one is under way
    assert await saving is False
    await changes
    assert (tail.tail.degraded, tail.tail.unsaved_bytes) == (True, 4)
    path.with_name("tail.json.tmp").rmdir()
    await tail.tail._saver._save_changes(path)
    assert (tail.tail.degraded, tail.tail.unsaved_bytes) == (False, 0)
    saved = checkpoint.load(path)
    assert saved is not None
    assert [each.offset for each in saved.files] == [4]


async def test_a_close_that_hangs_with_the_state_volume_can_be_cancelled(follow: Follow, tmp_path: Path) -> None:
    tail = await follow()
    pipe = tmp_path / "state/tail.json.tmp"
    os.mkfifo(pipe)  # nobody reads it, so that to open it blocks
    saving = asyncio.create_task(tail.tail.save({"more": "to save"}))
    await asyncio.sleep(0)
    closing = asyncio.create_task(tail.tail.close())
    await asyncio.wait((closing,), timeout=0.1)
    closing.cancel()
    done, _ = await asyncio.wait((closing,), timeout=PATIENCE_S)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    await saving
    os.close(reader)
    assert done == {closing}


async def test_a_bug_in_saving_is_raised_where_the_caller_waits(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow()
    tail.tail.ack(await tail.chunk(ack=False), extra={"no JSON": object()})
    with pytest.raises(TypeError):
        await asyncio.wait_for(tail.tail.next(), PATIENCE_S)
    full = asyncio.Event()
    with pytest.raises(TypeError):
        await asyncio.wait_for(tail.tail.look_until(full), PATIENCE_S)
    with pytest.raises(TypeError):
        await tail.tail.close()


async def test_a_state_directory_that_cannot_be_made_is_the_operators_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    tail = Tail(
        include=[f"{tmp_path}/*.log"], state_file=tmp_path / "file/state/tail.json", max_line_bytes=1024, log=Events()
    )
    with pytest.raises(OperatorError, match="state_dir"):
        await tail.start()
    await tail.close()
