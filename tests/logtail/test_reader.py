"""Reading real files: the way without a copy hands out the same pieces as the other one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtail.opened import Condition
from logtail.reader import PEEK_BYTES, Reader, Reading

CHUNK = 4 * PEEK_BYTES


class File:
    """A file whose content is its bytes. `compressed` turns the way without a copy off."""

    path = ""
    kept = False
    damaged = False

    def __init__(self, descriptor: int, *, compressed: bool) -> None:
        self._descriptor = descriptor
        self.compressed = compressed
        self.reads = 0

    def pread(self, length: int, offset: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def read_into(self, view: memoryview, offset: int) -> int:
        self.reads += 1
        return os.preadv(self._descriptor, [view], offset)

    def look(self) -> Condition:
        raise NotImplementedError

    def extent(self, size: int) -> int:
        return size

    def close(self) -> None:
        os.close(self._descriptor)


@contextmanager
def opened(path: Path, *, compressed: bool = False) -> Iterator[File]:
    file = File(os.open(path, os.O_RDONLY), compressed=compressed)
    yield file
    file.close()


def readings(file: File, max_line: int) -> list[Reading]:
    """All pieces of the file, front to back."""
    reader, offset, midline = Reader(CHUNK, max_line), 0, False
    found = []
    while reading := reader.read(file, offset, None, midline=midline, padded=False, finished=True):
        found.append(reading)
        offset += len(reading.data)
        midline = not reading.data.endswith(b"\n")
    return found


LINE = st.builds(lambda size, byte: bytes((byte,)) * size + b"\n", st.integers(0, 9000), st.integers(0x61, 0x7A))


@pytest.mark.parametrize("max_line", [1024 * 1024, CHUNK, 5000])
@given(st.lists(LINE, min_size=10, max_size=60), st.booleans())
def test_both_ways_hand_out_the_same_pieces(
    tmp_path_factory: pytest.TempPathFactory, max_line: int, lines: list[bytes], terminated: bool
) -> None:
    path = tmp_path_factory.mktemp("read") / "app.log"
    content = b"".join(lines) + (b"" if terminated else b"rest")
    path.write_bytes(content)
    with opened(path) as file, opened(path, compressed=True) as other:
        found = readings(file, max_line)
        assert found == readings(other, max_line)
    assert b"".join(each.data for each in found) == content


def test_a_full_piece_comes_without_the_buffer(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"a line\n" * CHUNK)
    with opened(path) as file:
        found = Reader(CHUNK, 1024 * 1024).read(file, 7, None, midline=False, padded=False, finished=False)
        assert found is not None
        assert found.data == b"a line\n" * (CHUNK // 7)
        assert file.reads == 0
