"""The checkpoint file: what is written is read again, and what cannot be read is put aside, not overwritten."""

import contextlib
import errno
import json
import os
from pathlib import Path

import msgspec
import pytest

from logtail.checkpoint import (
    Changes,
    Checkpoint,
    CheckpointUnusable,
    Entry,
    damaged_changes,
    encode,
    load,
    write,
    write_changes,
)

ENTRY = Entry(
    path="/log/app.log",
    device=1,
    inode=7,
    generation="7-abc",
    source_path="/log/app.log",
    offset=4711,
    head_length=1024,
    head_digest="aa",
    frontier_length=256,
    frontier_digest="bb",
)


def test_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    checkpoint = Checkpoint(files=[ENTRY], extra={"output": 12})
    write(path, encode(checkpoint))
    assert load(path) == checkpoint
    write(path, encode(Checkpoint()))
    assert load(path) == Checkpoint()
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_no_file_is_a_first_start(tmp_path: Path) -> None:
    assert load(tmp_path / "state.json") is None


WHOLE = encode(Checkpoint(files=[ENTRY]))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[: len(WHOLE) // 2],
        b"\0" * 100,
        b"[]",
        b'{"files": []}',
        b'{"version": 2, "files": [], "extra": {}}',
        b'{"version": 1, "files": [{"path": "/log/app.log"}]}',
        WHOLE.replace(b"/log", b"/\xff\xff"),
    ],
    ids=["empty", "truncated", "zeros", "a list", "no version", "newer", "fields missing", "not UTF-8"],
)
def test_an_unusable_file_is_put_beside_itself(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointUnusable) as caught:
        load(path)
    assert caught.value.moved_to == tmp_path / "state.json.unusable-1"
    assert (tmp_path / "state.json.unusable-1").read_bytes() == content
    assert load(path) is None


def test_the_second_unusable_file_does_not_replace_the_first(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for content in ("first", "second"):
        path.write_text(content)
        with pytest.raises(CheckpointUnusable):
            load(path)
    assert (tmp_path / "state.json.unusable-1").read_text() == "first"
    assert (tmp_path / "state.json.unusable-2").read_text() == "second"


def test_a_newer_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"version": 9}))
    with pytest.raises(CheckpointUnusable, match="version 9"):
        load(path)


def test_a_failed_write_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write(path, WHOLE)
    (tmp_path / "state.json.tmp").mkdir()  # stands for a disk that refuses
    with pytest.raises(OSError, match="directory"):
        write(path, encode(Checkpoint()))
    assert load(path) == Checkpoint(files=[ENTRY])


def test_changes_lie_over_their_own_checkpoint_only_and_the_later_ones_over_the_earlier(tmp_path: Path) -> None:
    path = tmp_path / "tail.json"
    other = msgspec.structs.replace(ENTRY, inode=8)
    new, newer, newest = (msgspec.structs.replace(ENTRY, offset=offset) for offset in (4712, 4713, 4714))
    write(path, encode(Checkpoint(token=7, files=[ENTRY, other])))
    write_changes(path, encode(Changes(on=6, files=[newest])))
    assert load(path) == Checkpoint(token=7, files=[ENTRY, other])
    write_changes(path, encode(Changes(on=7, files=[new])))
    assert load(path) == Checkpoint(token=7, files=[new, other])
    write_changes(path, encode(Changes(on=7, files=[newer])))
    moved = msgspec.structs.replace(other, offset=9)
    write_changes(path, encode(Changes(on=7, files=[moved])))
    assert load(path) == Checkpoint(token=7, files=[newer, moved])
    write_changes(path, encode(Changes(on=7, files=[new])), anew=True)
    assert load(path) == Checkpoint(token=7, files=[new, other])


def test_changes_cut_short_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "tail.json"
    write(path, encode(Checkpoint(token=7, files=[ENTRY])))
    with (tmp_path / "tail.json.changes").open("ab") as file:
        file.write(b'{"on":7,"files":[{"pa')
    assert load(path) == Checkpoint(token=7, files=[ENTRY])
    assert damaged_changes(path) == 0
    newer = msgspec.structs.replace(ENTRY, offset=4713)
    write_changes(path, encode(Changes(on=7, files=[newer])))
    assert load(path) == Checkpoint(token=7, files=[newer])


def test_no_damaged_byte_passes_unseen(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for at in range(len(WHOLE)):
        content = bytearray(WHOLE)
        content[at] ^= 1 << at % 8
        path.write_bytes(content)
        if at < len('{"crc32":"'):
            with contextlib.suppress(CheckpointUnusable):
                assert load(path) == Checkpoint(files=[ENTRY]), "the name of the checksum alone was damaged"
        else:
            with pytest.raises(CheckpointUnusable):
                load(path)
        for each in tmp_path.iterdir():
            each.unlink()


def test_a_damaged_record_of_changes_does_not_count_and_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write(path, encode(Checkpoint(token=5, files=[ENTRY])))
    assert damaged_changes(path) == 0
    first, second = (msgspec.structs.replace(ENTRY, offset=offset) for offset in (4712, 4713))
    write_changes(path, encode(Changes(on=5, files=[first])))
    write_changes(path, encode(Changes(on=5, files=[second])).replace(b"4713", b"9713"))
    write_changes(path, b"\0" * 100)
    assert load(path) == Checkpoint(token=5, files=[first])
    assert damaged_changes(path) == 2


def test_a_checkpoint_of_a_version_that_wrote_no_checksum_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(msgspec.json.encode(Checkpoint(files=[ENTRY])))
    assert load(path) == Checkpoint(files=[ENTRY])


def test_what_could_not_be_written_takes_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "state.json", WHOLE)
    assert list(tmp_path.iterdir()) == []
