"""How much is written for the positions: all of them seldom where there are many, beside them only what changed."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from logtail import checkpoint, saving
from logtail.saving import SAVED_BYTES_PER_S, rest_after

from .conftest import PATIENCE_S, Follow, Following, append


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state/tail.json"


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the checkpoints written, in a time in which no rate allows for a second one."""
    sizes: list[int] = []
    write = checkpoint.write

    def counted(path: Path, raw: bytes | bytearray) -> None:
        sizes.append(len(raw))
        write(path, raw)

    monkeypatch.setattr(checkpoint, "write", counted)
    monkeypatch.setattr(saving, "SAVED_BYTES_PER_S", 1e-9)
    return sizes


def records(state: Path) -> list[Any]:
    """For each record of changes, the files and where they are safe to."""
    lines = state.with_name("tail.json.changes").read_bytes().splitlines()
    return [{each["path"][-5:]: each["offset"] for each in json.loads(line)["files"]} for line in lines if line]


async def saved(tail: Following, told: asyncio.Event) -> None:
    """All that was acknowledged is. `told` of each try."""
    while tail.tail.unsaved_bytes:
        told.clear()
        tail.tail.hurry()
        await asyncio.wait_for(told.wait(), PATIENCE_S)


def test_after_much_was_written_there_is_a_longer_rest() -> None:
    assert rest_after(0) == rest_after(340) == 0.25
    assert rest_after(3 * SAVED_BYTES_PER_S) == 3.0


async def test_each_record_of_changes_has_only_what_changed_since_the_one_before(
    follow: Follow, log: Path, state: Path
) -> None:
    names = [log.with_name(name) for name in ("a.log", "b.log", "c.log")]
    for each in names:
        each.write_bytes(b"one\n")
    tail = await follow(autosave=False)
    for _ in names:
        await tail.chunk()
        await tail.tail._saver._save_changes(state)
    assert records(state) == [{"a.log": 4}, {"b.log": 4}, {"c.log": 4}]
    await tail.tail._saver._save_changes(state)
    assert len(records(state)) == 3, "nothing changed"
    loaded = checkpoint.load(state)
    assert loaded is not None
    assert [each.offset for each in loaded.files] == [4, 4, 4]


async def test_the_file_of_changes_begins_anew_after_a_checkpoint_once_it_is_large(
    follow: Follow, log: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write_bytes(b"")
    tail = await follow(autosave=False)
    expected: list[list[int]] = [[4], [4, 8], [12]]
    for offsets in expected:
        append(log, b"one\n")
        await tail.lines(1)
        await tail.tail._saver._save_changes(state)
        assert [each["p.log"] for each in records(state)] == offsets
        if len(offsets) == 2:
            monkeypatch.setattr(saving, "ROOM_FOR_CHANGES", 1)
        assert await tail.tail.save()


async def test_what_a_failure_left_of_a_record_does_not_stay(
    follow: Follow, log: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write_bytes(b"one\n")
    tail = await follow(autosave=False)
    await tail.lines(1)
    write_changes = checkpoint.write_changes

    def full(path: Path, raw: bytes | bytearray, *, anew: bool) -> None:
        write_changes(path, raw[:20], anew=anew)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_changes", full)
    await tail.tail._saver._save_changes(state)
    monkeypatch.setattr(checkpoint, "write_changes", write_changes)
    assert tail.tail.degraded
    await tail.tail._saver._save_changes(state)
    assert not tail.tail.degraded
    append(log, b"two\n")
    await tail.lines(1)
    await tail.tail._saver._save_changes(state)
    assert records(state) == [{"p.log": 8}]


async def test_a_checkpoint_that_a_new_file_takes_counts_for_the_rate(
    follow: Follow, log: Path, state: Path, whole: list[int]
) -> None:
    log.write_bytes(b"one\n")
    told = asyncio.Event()
    tail = await follow(saved=told.set)
    assert await tail.lines(1) == [b"one"]
    await saved(tail, told)
    assert len(whole) == 1, "at the start"
    log.with_name("b.log").write_bytes(b"two\n")
    assert await tail.lines(1) == [b"two"]
    await saved(tail, told)
    assert len(whole) == 2
    assert [each for record in records(state) for each in record] == ["p.log", "b.log"]


async def test_a_damaged_record_of_changes_is_told_at_the_next_start(follow: Follow, log: Path, state: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow(autosave=False)
    await tail.lines(1)
    await tail.tail._saver._save_changes(state)
    await tail.tail.close()
    beside = state.with_name("tail.json.changes")
    beside.write_bytes(beside.read_bytes().replace(b'"offset":4', b'"offset":5'))
    tail = await follow(autosave=False)
    assert tail.events.of("checkpoint_changes_damaged") == [{"path": str(state), "records": 1}]
    assert await tail.lines(1) == [b"one"]
    await tail.tail._saver._save_changes(state)
    await tail.tail.close()
    tail = await follow()
    assert tail.events.of("checkpoint_changes_damaged") == []
