"""After a kill: which steps are taken again, at their own times, and what of them is in the output already."""

from adapter_logformat.journal import Note
from adapter_logformat.replay import ALL, Part, Replay, Step, to_take_again


def note(generation: str, end: int, begins: int, ends: int, **more: object) -> Note:
    return Note(7, generation, more.pop("deed", "feed"), end, more.pop("now", 0), begins, ends, **more)  # type: ignore[arg-type]


def records_of_ten_bytes(begin: int, end: int) -> int:
    return (end - begin) // 10


def parts(replay: Replay, start: int, data: bytes, *, final: bool = False) -> list[Part]:
    return list(replay.parts("a", start, data, final=final, now_ns=999))


def test_what_is_whole_in_the_output_is_left_out_and_what_is_not_there_is_written() -> None:
    notes = [note("a", 100, 0, 50), note("b", 40, 50, 90), note("a", 200, 90, 120)]
    steps = to_take_again({}, notes, 70, records_of_ten_bytes)
    assert steps == {
        "a": [Step("feed", 100, 0, ALL), Step("feed", 200, 0, 0)],
        "b": [Step("feed", 40, 0, 2)],
    }


def test_in_another_output_only_the_last_step_may_be_missing() -> None:
    notes = [note("a", 100, 0, 50), note("a", 200, 50, 90)]
    assert to_take_again({}, notes, None, records_of_ten_bytes) == {
        "a": [Step("feed", 100, 0, ALL), Step("feed", 200, 0, 0)]
    }


def test_a_second_kill_while_taking_again_forgets_nothing() -> None:
    saved = {"a": [Step("feed", 100, 5, 3), Step("feed", 200, 6, ALL)]}
    assert to_take_again(saved, [], 0, records_of_ten_bytes) == saved
    # The first step was under way: 2 of the 3 known records were left out in a part up to 60.
    partly = [note("a", 60, 0, 0, now=5, skipped=2)]
    assert to_take_again(saved, partly, 0, records_of_ten_bytes) == {
        "a": [Step("feed", 60, 5, ALL), Step("feed", 100, 5, 1), Step("feed", 200, 6, ALL)]
    }
    # It was done, and of its other records one reached the output.
    done = [note("a", 100, 0, 30, now=5, skipped=3)]
    assert to_take_again(saved, done, 10, records_of_ten_bytes) == {
        "a": [Step("feed", 100, 5, 4), Step("feed", 200, 6, ALL)]
    }


def test_bytes_come_as_the_steps_saw_them_at_their_times_and_new_ones_at_the_present() -> None:
    replay = Replay({"a": [Step("feed", 4, 1, ALL), Step("expire", 4, 2, 1), Step("feed", 6, 3, 0)]})
    assert parts(replay, 0, b"ab\ncd\nef\n") == [
        Part("feed", b"ab\nc", 4, 1, ALL),
        Part("expire", b"", 4, 2, 1),
        Part("feed", b"d\n", 6, 3, 0),
        Part("feed", b"ef\n", 9, 999),
    ]
    assert not replay


def test_a_piece_of_a_step_keeps_the_rest_of_the_step() -> None:
    replay = Replay({"a": [Step("feed", 6, 1, 5)]})
    assert parts(replay, 0, b"ab\n") == [Part("feed", b"ab\n", 3, 1, 5, partly=True)]
    replay.consumed("a", 2)
    assert replay.left() == {"a": [Step("feed", 6, 1, 3)]}
    assert parts(replay, 3, b"cd\n") == [Part("feed", b"cd\n", 6, 1, 3)]


def test_the_end_of_a_file_is_taken_again_once() -> None:
    replay = Replay({"a": [Step("last", 3, 1, ALL)]})
    assert parts(replay, 0, b"ab\n", final=True) == [Part("last", b"ab\n", 3, 1, ALL)]
    assert parts(replay, 3, b"", final=True) == [Part("last", b"", 3, 999)]


def test_a_record_that_was_ended_right_after_the_checkpoint_needs_no_bytes() -> None:
    replay = Replay({"a": [Step("expire", 3, 1, ALL), Step("feed", 6, 2, 0)]})
    assert list(replay.without_bytes("a")) == [Part("expire", b"", 3, 1, ALL)]
    assert replay.left() == {"a": [Step("feed", 6, 2, 0)]}


def test_a_file_that_is_gone_tells_whether_its_records_are_out() -> None:
    replay = Replay({"a": [Step("feed", 3, 1, ALL)], "b": [Step("feed", 3, 1, 0)]})
    assert replay.awaits("a")
    assert replay.forget("a")
    assert not replay.forget("b")
    assert not replay
