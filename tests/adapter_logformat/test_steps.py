"""How much is converted before the loop may turn again; however it is cut, the same records come of it."""

from adapter_logformat.pipeline import Options, Stream
from adapter_logformat.replay import ALL, Part
from adapter_logformat.steps import PIECE_BYTES, PIECE_LINES, STEP_MADE, Taken, pieces, take

NOW = 1_795_161_060_000_000_000
ACCESS = b'203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /a HTTP/1.1" 200 12 "-" "curl/8"\n'


def steps(data: bytes, *, deed: str = "feed") -> tuple[list[Taken], bytes]:
    stream, taken, written = Stream(Options()), [], b""
    rest: Part | None = Part(deed, data, len(data), NOW)  # type: ignore[arg-type]
    while rest is not None:
        taken.append(take(stream, rest))
        written += b"".join(taken[-1].written)
        rest = taken[-1].rest
    return taken, written


def test_pieces_end_behind_lines_and_hold_few_of_them() -> None:
    short, usual, endless = b"ok\n" * 100_000, ACCESS * 10_000, b"x" * (PIECE_BYTES * 2 + 1)
    for data in (short, usual, endless, b"", b"\n" * 5000, ACCESS + endless + ACCESS):
        assert b"".join(pieces(data)) == data
        assert all(len(piece) <= PIECE_BYTES for piece in pieces(data))
        assert all(piece.count(b"\n") <= PIECE_LINES for piece in pieces(data))
    assert all(piece.endswith(b"\n") for piece in pieces(short + usual))


def test_lines_that_are_read_one_by_one_are_taken_in_several_steps_and_quick_ones_in_one() -> None:
    taken, written = steps(b"ok\n" * 10_000)
    assert [each.written != [] for each in taken] == [True] * len(taken)
    assert all(b"".join(each.written).count(b"\n") <= 2 * PIECE_LINES for each in taken)
    assert (len(taken) > 4, taken[-1].end, written.count(b"\n")) == (True, 30_000, 10_000)
    assert len(steps(ACCESS * 6000)[0]) == 1


def test_many_steps_make_the_same_records_as_one() -> None:
    data = b"ok\n" * 9000 + ACCESS * 3000 + b"half a line"
    stream = Stream(Options())
    assert steps(data, deed="last")[1] == stream.feed(data, NOW) + stream.flush(NOW)


def test_a_step_that_has_made_much_is_over() -> None:
    taken, written = steps(ACCESS * 30_000)
    assert [sum(map(len, each.written)) >= STEP_MADE for each in taken] == [True] * (len(taken) - 1) + [False]
    assert (len(taken) > 2, written.count(b"\n")) == (True, 30_000)


def test_a_step_that_is_taken_again_goes_to_its_end() -> None:
    for part in (Part("feed", b"ok\n" * 9000, 27_000, NOW, skip=ALL), Part("feed", b"ok\n" * 9000, 27_000, NOW, 3)):
        assert take(Stream(Options()), part).rest is None
    assert take(Stream(Options()), Part("feed", b"ok\n" * 9000, 27_000, NOW, partly=True)).rest is None
