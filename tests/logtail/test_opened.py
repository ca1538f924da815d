"""The seam to open files: a bounded number of descriptors, and what happens when reading fails."""

# ruff: noqa: ASYNC240 (the files are local and small)

import errno
import os
import resource
from pathlib import Path

import pytest

from logtail.decoded import Opener
from logtail.opened import Condition, Opened, descriptors_to_use

from .conftest import Follow, append


class Shaky:
    """An open file that fails, or shows another size, as often as it is told."""

    def __init__(self, inner: Opened, weather: "Weather") -> None:
        self.compressed = inner.compressed
        self._inner = inner
        self._weather = weather
        self.path = inner.path
        self.kept = False

    @property
    def damaged(self) -> bool:
        return self._inner.damaged

    def pread(self, length: int, offset: int) -> bytes:
        self._weather.strike(self.path)
        return self._inner.pread(length, offset)

    def read_into(self, view: memoryview, offset: int) -> int:
        self._weather.strike(self.path)
        return self._inner.read_into(view, offset)

    def look(self) -> Condition:
        condition = self._inner.look()
        size = self._weather.sizes.pop(0) if self._weather.sizes else condition.size
        return Condition(condition.device, condition.inode, size, condition.mtime_ns, condition.linked)

    def extent(self, size: int) -> int:
        return self._inner.extent(size)

    def close(self) -> None:
        self._inner.close()


class Weather:
    def __init__(self) -> None:
        self.errors: list[int] = []
        """What the next reads meet; 0 is none."""
        self.failing: set[str] = set()
        """Every read of these meets EIO."""
        self.sizes: list[int] = []
        self.opened = 0
        self._opener = Opener(16)

    def strike(self, path: str) -> None:
        if path in self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self.errors:
            code = self.errors.pop(0)
            if code:
                raise OSError(code, os.strerror(code))

    def open(self, path: str) -> Opened:
        self.opened += 1
        return Shaky(self._opener.open(path), self)


async def test_case_14_estale_and_eio_mean_reopen(follow: Follow, log: Path) -> None:
    weather = Weather()
    log.write_bytes(b"one\n")
    tail = await follow(open_file=weather.open)
    first = await tail.chunk(ack=False)
    for number, code in enumerate((errno.ESTALE, errno.EIO)):
        opened = weather.opened
        append(log, b"more %d\n" % number)
        weather.errors = [code]
        chunk = await tail.chunk()
        assert (chunk.data, chunk.source) == (b"more %d\n" % number, first.source)
        assert weather.opened == opened + 1
    assert [each["reason"] for each in tail.events.of("file_not_followed")] == ["read_failed"] * 2
    assert tail.tail.stats().errors["read_failed"] == 2


async def test_case_14_a_deleted_file_that_can_still_be_read_is_not_given_up(follow: Follow, log: Path) -> None:
    weather = Weather()
    log.write_bytes(b"one\n")
    tail = await follow(open_file=weather.open)
    await tail.chunk()
    append(log, b"two\n")
    log.unlink()
    weather.errors = [errno.EIO]
    assert (await tail.chunk()).data == b"two\n"
    assert tail.events.of("file_gone") == []


async def test_case_01_an_empty_file_is_written_and_deleted_in_the_moment_it_is_looked_at(
    follow: Follow, log: Path
) -> None:
    log.touch()
    opener = Opener(8)

    def open_file(path: str) -> Opened:
        if tail is not None:
            log.unlink(missing_ok=True)
        return opener.open(path)

    tail = None
    tail = await follow(open_file=open_file)
    append(log, b"one\n")
    assert await tail.lines(1) == [b"one"]
    assert tail.events.of("file_gone") == []


async def test_case_14_an_error_that_stays_is_said_once_and_survived(follow: Follow, log: Path) -> None:
    weather = Weather()
    log.write_bytes(b"one\n")
    tail = await follow(open_file=weather.open)
    await tail.chunk()
    append(log, b"two\n")
    weather.errors = [errno.EIO] * 7
    assert (await tail.chunk()).data == b"two\n"
    assert weather.errors == []
    assert len(tail.events.of("file_not_followed")) == 1


@pytest.mark.parametrize("reads", range(7))
async def test_case_14_an_error_at_any_single_read_loses_and_repeats_nothing(
    follow: Follow, log: Path, reads: int
) -> None:
    weather = Weather()
    tail = await follow(open_file=weather.open)
    for line in (b"one", b"two"):
        append(log, line + b"\n")
        weather.errors = [0] * reads + [errno.EIO]
        assert await tail.lines(1) == [line]


async def test_case_14_a_shrink_is_believed_when_two_looks_agree(follow: Follow, log: Path) -> None:
    weather = Weather()
    log.write_bytes(b"one\ntwo\n")
    tail = await follow(open_file=weather.open)
    await tail.chunk()
    weather.sizes = [4]
    append(log, b"three\n")
    assert (await tail.chunk()).data == b"three\n"
    assert tail.events.of("file_truncated") == []
    log.write_bytes(b"four\n")
    assert (await tail.chunk()).final
    assert (await tail.chunk()).data == b"four\n"


async def test_more_files_than_descriptors(follow: Follow, log: Path) -> None:
    for number in range(50):
        log.with_name(f"{number}.log").write_bytes(b"first %d\n" % number)
    tail = await follow(most_open=4)
    assert sorted(await tail.lines(50)) == sorted(b"first %d" % number for number in range(50))
    assert len(held(log.parent)) <= 4
    for number in range(50):
        append(log.with_name(f"{number}.log"), b"second %d\n" % number)
    assert sorted(await tail.lines(50)) == sorted(b"second %d" % number for number in range(50))


async def test_one_look_that_takes_long_makes_nobody_wait_long(follow: Follow, log: Path) -> None:
    opener, slow = Opener(8), log.with_name("slow.log")

    def open_file(path: str) -> Opened:
        if path == str(slow) and not tail.clock.ahead:
            tail.clock.ahead = 100.0
            append(log, b"two\n")
            raise PermissionError
        return opener.open(path)

    log.write_bytes(b"one\n")
    tail = await follow(poll_interval=5.0, open_file=open_file)
    assert await tail.lines(1) == [b"one"]
    slow.touch()
    assert await tail.lines(1) == [b"two"]
    assert tail.clock.ahead == 100.0


def test_a_file_whose_first_bytes_cannot_be_read_is_closed_again() -> None:
    opener = Opener(8)
    before = held(Path("/proc"))
    with pytest.raises(OSError, match="Input/output error"):
        opener.open("/proc/self/mem")
    assert held(Path("/proc")) == before


async def test_truncated_again_and_again_a_utf16_file_takes_one_descriptor(follow: Follow, log: Path) -> None:
    log.write_bytes("one\ntwo\n".encode("utf-16"))
    tail = await follow()
    assert await tail.lines(2) == [b"one", b"two"]
    for text in ("three\nfour\nfive\n", "six\nseven\neight\nnine\n"):
        log.write_bytes(text.encode("utf-16"))
        assert await tail.lines(text.count("\n")) == text.encode().splitlines()
    assert held(log) == [str(log)]


def held(place: Path) -> list[str]:
    """The open files below `place`."""
    return [path for path in map(_target, Path("/proc/self/fd").iterdir()) if path.startswith(str(place))]


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


async def test_a_file_whose_descriptor_was_taken_back_is_found_under_its_new_name(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow(most_open=1)
    first = await tail.chunk()
    for number in range(3):
        log.with_name(f"{number}.log").write_bytes(b"%d\n" % number)
    assert len(await tail.lines(3)) == 3
    append(log, b"two\n")
    log.rename(log.with_name("app.log.1"))
    chunk = await tail.chunk()
    assert (chunk.data, chunk.source) == (b"two\n", first.source)
    assert tail.events.of("file_rotated")[0]["now"] == str(log.with_name("app.log.1"))


async def test_a_file_that_vanished_while_its_descriptor_was_taken_back_is_said(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow(most_open=1)
    await tail.chunk()
    for number in range(3):
        log.with_name(f"{number}.log").write_bytes(b"%d\n" % number)
    assert len(await tail.lines(3)) == 3
    log.unlink()
    assert (await tail.event("file_gone"))["path"] == str(log)


@pytest.mark.parametrize(("limit", "used"), [(1024, 512), (1_048_576, 16_384), (resource.RLIM_INFINITY, 16_384)])
def test_half_of_the_descriptors_are_for_files(monkeypatch: pytest.MonkeyPatch, limit: int, used: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert descriptors_to_use() == used
