"""When bytes were read, as a transcript: marks, what a later life makes of them, and what it may not change."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from logtail.chunk import Chunk, Source
from sidecar_logshipper.dating import BEAT_NS, MOST_MARKS, Dating

SEEN_US = 1_700_000_000_000_000
SEEN = SEEN_US * 1000
HOUR = 3600 * BEAT_NS


def source(inode: str = "a", resumed_to: int = 0) -> Source:
    return Source("/log/app.log", f"{inode}-{SEEN_US:x}", resumed_to)


def chunk(start: int, end: int, of: Source | None = None, **marks: Any) -> Chunk:
    return Chunk(of or source(), start, b"x" * (end - start), **marks)


def test_without_a_mark_it_is_the_time_when_the_file_was_first_seen() -> None:
    dating = Dating()
    assert not dating.hand_out(chunk(0, 10), SEEN + BEAT_NS // 2)
    assert dating.times(source(), [0, 4]) == [SEEN, SEEN + 4]


def test_about_once_a_second_there_is_a_mark_to_be_saved() -> None:
    dating = Dating()
    assert dating.hand_out(chunk(0, 10), SEEN + HOUR)
    assert not dating.hand_out(chunk(10, 20), SEEN + HOUR + BEAT_NS // 2)
    assert dating.hand_out(chunk(20, 30), SEEN + 2 * HOUR)
    assert dating.times(source(), [0, 10]) == [SEEN + HOUR, SEEN + HOUR + 10]
    assert dating.times(source(), [20, 25]) == [SEEN + 2 * HOUR, SEEN + 2 * HOUR + 5]
    assert dating.times(source(), [15, 20]) == [SEEN + HOUR + 15, SEEN + 2 * HOUR]  # over a mark


def test_a_quiet_file_has_the_time_of_its_next_line() -> None:
    dating = Dating()
    busy, quiet = source("a"), source("b")
    dating.hand_out(chunk(0, 10, busy), SEEN + HOUR)
    assert dating.hand_out(chunk(0, 5, quiet), SEEN + HOUR + 1)  # it had no mark yet
    assert dating.hand_out(chunk(10, 20, busy), SEEN + 5 * HOUR)
    assert not dating.hand_out(chunk(5, 10, quiet), SEEN + 5 * HOUR + 1)  # marked with the other one
    assert dating.times(quiet, [5]) == [SEEN + 5 * HOUR]


def test_a_later_life_gives_the_same_times_and_changes_none() -> None:
    before = Dating()
    before.hand_out(chunk(0, 10), SEEN + HOUR)
    before.hand_out(chunk(10, 20), SEEN + 2 * HOUR)
    after = Dating(before.saved())
    resumed = source(resumed_to=30)
    # It reads again from 5, in other pieces; up to 30 the life before may have sent.
    assert not after.hand_out(chunk(5, 30, resumed), SEEN + 9 * HOUR)
    assert after.times(resumed, [5, 9, 10, 29]) == before.times(source(), [5, 9, 10, 29])
    assert after.hand_out(chunk(30, 40, resumed), SEEN + 9 * HOUR)
    assert after.times(resumed, [30]) == [SEEN + 9 * HOUR]


def test_another_file_s_beat_marks_nothing_that_may_have_been_sent() -> None:
    before = Dating()
    before.hand_out(chunk(0, 10), SEEN + HOUR)
    after, resumed = Dating(before.saved()), source(resumed_to=50)
    after.hand_out(chunk(0, 10, resumed), SEEN + 9 * HOUR)
    assert after.hand_out(chunk(0, 10, source("b")), SEEN + 10 * HOUR)
    assert after.times(resumed, [49]) == [SEEN + HOUR + 49]
    assert after.times(resumed, [50]) == [SEEN + 10 * HOUR]


def test_marks_behind_us_are_forgotten() -> None:
    dating = Dating()
    for hour in range(1, 5):
        dating.hand_out(chunk(hour * 10, hour * 10 + 10), SEEN + hour * HOUR)
    dating.done(chunk(10, 35))
    (marks,) = dating.saved().values()
    assert [offset for offset, _ in marks] == [30, 40]
    dating.done(chunk(40, 50, final=True))
    assert dating.saved() == {}


def test_lives_that_ended_without_a_chunk_are_forgotten() -> None:
    dating = Dating()
    dating.hand_out(chunk(0, 10, source("a")), SEEN + HOUR)
    dating.hand_out(chunk(0, 10, source("b")), SEEN + 2 * HOUR)
    dating.keep_only({source("b").generation, "another"})
    assert dating.saved().keys() == {source("b").generation}
    dating.hand_out(chunk(10, 20, source("b")), SEEN + 3 * HOUR)
    assert dating.saved().keys() == {source("b").generation}


def test_marks_are_bounded() -> None:
    dating = Dating()
    for second in range(1, MOST_MARKS + 100):
        dating.hand_out(chunk(second, second + 1), SEEN + second * 2 * BEAT_NS)
    (marks,) = dating.saved().values()
    assert len(marks) == MOST_MARKS


def test_a_clock_that_is_set_back_makes_no_mark() -> None:
    dating = Dating()
    dating.hand_out(chunk(0, 10), SEEN + 2 * HOUR)
    dating.hand_out(chunk(10, 20), SEEN + HOUR)
    assert dating.times(source(), [10]) == [SEEN + 2 * HOUR + 10]


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 3 * BEAT_NS)), min_size=1, max_size=30),
    st.integers(0, 30),
    st.integers(0, 10 * HOUR),
)
def test_whatever_was_sent_keeps_its_time(steps: list[tuple[int, int]], crash_after: int, away: int) -> None:
    """A life hands out chunks and dies; the next one starts anywhere before, and reads in other pieces."""
    first, saved, sent, end, now = Dating(), {}, {}, 0, SEEN
    for size, pause in steps[: crash_after or 1]:
        now += pause
        if first.hand_out(chunk(end, end + size), now):
            saved = first.saved()
        sent |= {offset: first.times(source(), [offset])[0] for offset in range(end, end + size)}
        end += size
    second, resumed = Dating(saved), source(resumed_to=end)
    now += away
    second.hand_out(chunk(end // 2, end + 7, resumed), now)
    second.hand_out(chunk(end + 7, end + 9, resumed), now + BEAT_NS)
    assert {offset: second.times(resumed, [offset])[0] for offset in sent} == sent
    together = second.times(resumed, list(range(end + 9)))
    assert together == [second.times(resumed, [offset])[0] for offset in range(end + 9)]
    assert all(earlier < later for earlier, later in pairwise(together))
