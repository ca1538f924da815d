"""Slices of a batch: the same records in the same order, each whole."""

from hypothesis import given
from hypothesis import strategies as st

from logtail.chunk import Chunk, Source
from sidecar_logshipper.batch import Batch, Part
from sidecar_logshipper.records import singles
from sidecar_logshipper.slices import slices

LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=12)


def part(lines: list[bytes], start: int) -> Part:
    return Part.of(Chunk(Source("/log/app.log", "1-a"), start, b"".join(line + b"\n" for line in lines)))


@given(st.lists(LINES, min_size=1, max_size=3), st.integers(1, 40))
def test_every_record_is_in_one_slice(groups: list[list[bytes]], most_bytes: int) -> None:
    batch = Batch(tuple(part(lines, number * 1000) for number, lines in enumerate(groups)))
    found = list(slices(batch, most_bytes))
    assert [single for each in found for single in singles(each)] == [
        single for each in batch.parts for single in singles(each)
    ]
    assert all(len(each.chunk.data) <= most_bytes or each.count == 1 for each in found)


def test_a_piece_of_a_line_stays_whole() -> None:
    piece = Part.of(Chunk(Source("/log/app.log", "1-a"), 0, b"x" * 100, piece=True))
    assert list(slices(Batch((piece,)), 10)) == [piece]
