"""What the kernel says is written to files that are followed is read without a look at all of them."""

import asyncio
import gzip
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtail import hints
from logtail.hints import Hints

from .conftest import PATIENCE_S, ByHand, append


@pytest.fixture
def two(tmp_path: Path) -> tuple[ByHand, Path, Path]:
    """A follower that has read all of two files."""
    a, b = tmp_path / "a.log", tmp_path / "b.log"
    for each in (a, b):
        each.write_bytes(b"one\n")
    followed = ByHand(tmp_path / "*.log")
    assert sorted((followed.chunk(), followed.chunk(), followed.chunk())) == [b"", b"one\n", b"one\n"]
    return followed, a, b


def test_only_the_files_named_are_looked_at(two: tuple[ByHand, Path, Path]) -> None:
    followed, a, b = two
    append(a, b"two\n")
    append(b, b"two\n")
    written = {str(b)}
    step = followed.follower.step(None, written)
    assert step.chunk is not None
    assert (step.chunk.source.path, step.chunk.data, step.look_s, written) == (str(b), b"two\n", None, set())
    step = followed.follower.step(None, written)
    assert (step.chunk, step.unknown, step.calm) == (None, False, True)
    assert followed.chunk() == b"two\n"  # of a, by a look


def test_what_is_not_followed_by_that_name_takes_a_look(two: tuple[ByHand, Path, Path], tmp_path: Path) -> None:
    followed, a, b = two
    a.rename(tmp_path / "c.log")
    a.write_bytes(b"new\n")
    (tmp_path / "other").write_bytes(b"x\n")
    for path in (a, tmp_path / "c.log", tmp_path / "other", tmp_path / "gone.log"):
        step = followed.follower.step(None, {str(path)})
        assert (step.chunk, step.unknown) == (None, True), path
    assert followed.chunk() == b"new\n"
    append(b, b"two\n")
    assert not followed.follower.step(None, {str(b)}).unknown


def test_a_truncation_seen_at_a_glance_is_settled_by_a_look(two: tuple[ByHand, Path, Path]) -> None:
    followed, a, _ = two
    os.truncate(a, 0)
    append(a, b"x\n")
    step = followed.follower.step(None, {str(a)})
    assert (step.chunk, step.soon) == (None, True)
    assert (followed.chunk(), followed.chunk()) == (b"", b"x\n")
    assert len(followed.of("file_truncated")) == 1


def test_a_file_that_turns_out_compressed_at_a_glance_is_met_anew_by_a_look(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.touch()
    followed = ByHand(log)
    assert followed.chunk() == b""
    append(log, gzip.compress(b"one\n"))
    assert followed.follower.step(None, {str(log)}).unknown
    assert followed.chunk() == b"one\n"


# ---- what is heard of the kernel


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Hints]:
    for name in "ab":
        (tmp_path / name).touch()
    hints = Hints(lambda: None)
    if not hints.watch([str(tmp_path)]):
        pytest.skip("the kernel grants no more watches now")
    assert hints.else_happened, "before there was a watch"
    hints.forget()
    yield hints
    hints.close()


def test_which_files_were_written_to(heard: Hints, tmp_path: Path) -> None:
    heard.hear()
    assert (heard.written, heard.else_happened) == (set(), False)
    append(tmp_path / "a", b"x")
    append(tmp_path / "b", b"x")
    heard.hear()
    assert (heard.written, heard.else_happened) == ({f"{tmp_path}/a", f"{tmp_path}/b"}, False)
    (tmp_path / "a").rename(tmp_path / "c")
    heard.hear()
    assert (heard.else_happened, heard.directories_changed) == (True, False)
    heard.forget()
    assert (heard.written, heard.else_happened) == (set(), False)
    (tmp_path / "sub").mkdir()
    heard.hear()
    assert (heard.else_happened, heard.directories_changed) == (True, True)


def test_of_more_than_can_be_heard_it_is_kept_that_there_was_more(
    heard: Hints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "MOST_EVENTS", 1)
    append(tmp_path / "a", b"x")
    append(tmp_path / "b", b"x")
    (tmp_path / "sub").mkdir()
    heard.hear()
    assert (heard.written, heard.else_happened, heard.directories_changed) == ({f"{tmp_path}/a"}, True, True)


def test_a_directory_made_anew_is_watched_anew(heard: Hints, tmp_path: Path) -> None:
    (tmp_path / "pod").mkdir()
    both = [str(tmp_path), f"{tmp_path}/pod"]
    assert heard.watch(both)
    inode = (tmp_path / "pod").stat().st_ino
    (tmp_path / "pod").rmdir()
    (tmp_path / "pod").mkdir()
    if (tmp_path / "pod").stat().st_ino != inode:
        pytest.skip("this file system does not give an inode again at once")
    heard.hear()
    heard.watch(both)
    heard.forget()
    assert not heard.directories_changed
    append(tmp_path / "pod/a", b"x")
    heard.hear()
    assert heard.written == {f"{tmp_path}/pod/a"}


@pytest.mark.parametrize("most", [0, hints.MOST_EVENTS], ids=["of many events", "of few"])
def test_the_end_of_a_watch_is_heard(heard: Hints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    pod = tmp_path / "pod"
    pod.mkdir()
    heard.hear()
    heard.watch([str(pod)])  # not the directory that it is in
    heard.forget()
    heard.hear()
    assert not heard.directories_changed, "the end of a watch that is wanted no more is nothing"
    monkeypatch.setattr(hints, "MOST_EVENTS", most)
    pod.rmdir()
    heard.hear()
    assert (heard.else_happened, heard.directories_changed) == (True, True)
    heard.watch([str(pod)])
    pod.mkdir()
    assert heard.watch([str(pod)])
    heard.forget()
    monkeypatch.undo()
    append(pod / "a", b"x")
    heard.hear()
    assert heard.written == {f"{pod}/a"}


def test_a_directory_with_two_names_is_heard_of_under_both_and_under_the_one_that_is_left(
    heard: Hints, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    link = tmp_path / "current"
    link.symlink_to("one")
    names = [str(link), f"{tmp_path}/one"]
    heard.watch(names)
    append(tmp_path / "one/a", b"x")
    heard.hear()
    assert heard.written == {f"{link}/a", f"{tmp_path}/one/a"}
    link.unlink()
    link.symlink_to("two")
    heard.watch(names)
    heard.forget()
    append(tmp_path / "one/a", b"x")
    append(tmp_path / "two/a", b"x")
    heard.hear()
    assert heard.written == {f"{link}/a", f"{tmp_path}/one/a"}
    link.unlink()
    heard.watch(names)
    append(tmp_path / "one/b", b"x")
    append(tmp_path / "two/b", b"x")
    heard.hear()
    assert f"{tmp_path}/one/b" in heard.written
    assert f"{link}/b" not in heard.written


def test_after_events_are_missing_all_is_watched_anew(heard: Hints, tmp_path: Path) -> None:
    assert heard._take_in(struct.pack("iIII", -1, 0x4000, 0, 0), 1) == 1
    assert (heard.else_happened, heard.directories_changed) == (True, True)
    heard.forget()
    assert heard.watch([str(tmp_path)])
    assert heard.else_happened
    heard.forget()
    assert heard.watch([str(tmp_path)])
    heard.hear()
    assert not heard.else_happened
    append(tmp_path / "a", b"x")
    heard.hear()
    assert heard.written == {f"{tmp_path}/a"}


async def test_whoever_waits_is_woken_once_and_finds_what_happened(heard: Hints, tmp_path: Path) -> None:
    woken = asyncio.Event()
    heard._wake = woken.set
    heard.arm()
    append(tmp_path / "a", b"x")
    await asyncio.wait_for(woken.wait(), PATIENCE_S)
    assert (heard.armed, heard.written) == (False, {f"{tmp_path}/a"})
