"""Collecting and cutting, as a transcript. Times are given, nobody waits."""

from hypothesis import given
from hypothesis import strategies as st

from logtail.chunk import Chunk, Source
from sidecar_logshipper.batch import SPACING_S, Batch, Collector, Part

SOURCE = Source("/log/app.log", "1-a")


def part(lines: bytes, start: int = 0, *, piece: bool = False) -> Part:
    return Part.of(Chunk(SOURCE, start, lines, piece=piece))


def shown(batch: Batch) -> list[tuple[int, bytes]]:
    return [(each.chunk.start, each.chunk.data) for each in batch.parts]


def test_nothing_is_due_while_nothing_waits() -> None:
    assert Collector(1000, 1.0).due_in(0.0) is None


def test_the_first_line_after_a_pause_goes_at_once() -> None:
    collector = Collector(1000, 1.0)
    collector.add(part(b"a\n"), 10.0)
    assert collector.due_in(10.0) == 0


def test_lines_soon_after_a_request_wait_for_company() -> None:
    collector = Collector(1000, 1.0)
    collector.add(part(b"a\n"), 10.0)
    collector.take(10.0)
    collector.add(part(b"b\n", 2), 10.001)
    assert 0 < (collector.due_in(10.001) or 0) <= SPACING_S
    collector.add(part(b"c\n", 4), 10.002)
    assert collector.due_in(10.0 + SPACING_S) == 0
    assert shown(collector.take(10.0 + SPACING_S)) == [(2, b"b\n"), (4, b"c\n")]
    assert collector.due_in(11.0) is None


def test_nothing_waits_longer_than_its_age_allows() -> None:
    collector = Collector(1000, 0.01)
    collector.add(part(b"a\n"), 10.0)
    collector.take(10.0)
    collector.add(part(b"b\n", 2), 10.001)
    assert round(collector.due_in(10.001) or 0, 6) == 0.01


def test_a_full_batch_goes_at_once_and_keeps_its_bound() -> None:
    collector = Collector(20, 1.0)
    collector.add(part(b"a\n"), 10.0)
    collector.take(10.0)
    for number in range(4):
        collector.add(part(b"123456\n", number * 7), 10.0)
    assert collector.due_in(10.0) == 0
    assert shown(collector.take(10.0)) == [(0, b"123456\n"), (7, b"123456\n")]
    assert collector.waiting_bytes == 14


def test_a_line_longer_than_a_batch_goes_alone() -> None:
    collector = Collector(20, 1.0)
    collector.add(part(b"x" * 50 + b"\n"), 10.0)
    collector.add(part(b"a\n", 51), 10.0)
    assert collector.take(10.0).size == 51


def test_halves_of_a_batch_are_its_parts_then_the_lines_of_a_part() -> None:
    batch = Batch((part(b"a\nb\n"), part(b"c\n", 4)))
    first, second = batch.halves() or ()
    assert (shown(first), shown(second)) == ([(0, b"a\nb\n")], [(4, b"c\n")])
    first, second = first.halves() or ()
    assert (shown(first), shown(second)) == ([(0, b"a\n")], [(2, b"b\n")])
    assert first.halves() is None


def test_a_piece_of_a_long_line_is_not_halved() -> None:
    assert Batch((part(b"abc", piece=True),)).halves() is None


@given(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"x") + b"\n"), min_size=1), st.booleans())
def test_halving_ends_at_single_lines_and_loses_none(lines: list[bytes], unterminated: bool) -> None:
    content = b"".join(lines)
    if unterminated and len(content) > 1:
        content = content[:-1]
    waiting, singles = [Batch((part(content, 100),))], []
    while waiting:
        batch = waiting.pop()
        if (halves := batch.halves()) is None:
            singles.append(batch)
        else:
            assert sum(half.count for half in halves) == batch.count
            waiting += reversed(halves)
    assert b"".join(single.parts[0].chunk.data for single in singles) == content
    assert all(single.count == 1 for single in singles)
    offset = 100
    for single in singles:
        assert single.parts[0].chunk.start == offset
        offset = single.parts[0].chunk.end
