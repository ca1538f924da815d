"""Cutting at newlines, as a transcript: whole lines, over-long lines, padding; also one byte at a time."""

from hypothesis import given
from hypothesis import strategies as st

from logtail.lines import Piece, padding, take


def cut(content: bytes, max_line: int = 100, *, midline: bool = False, finished: bool = False) -> Piece | None:
    return take(content, len(content), max_line, midline=midline, finished=finished)


def pieces(content: bytes, max_line: int, chunk: int) -> list[tuple[bytes, bool]]:
    """What a reader hands out of a finished file, given `chunk` bytes at a time and more when it asks."""
    out: list[tuple[bytes, bool]] = []
    start, want, midline = 0, chunk, False
    while start < len(content):
        window = content[start : start + want]
        at_end = start + want >= len(content)
        piece = take(window, len(window), max_line, midline=midline, finished=at_end)
        if piece is None:
            want += chunk
            continue
        out.append((window[: piece.length], piece.broken))
        midline = not window[: piece.length].endswith(b"\n")
        start, want = start + piece.length, chunk
    return out


def test_everything_up_to_the_last_newline_goes() -> None:
    assert cut(b"one\ntwo\nthr") == Piece(8, broken=False)


def test_an_unterminated_line_waits_until_the_file_is_finished() -> None:
    assert cut(b"thr") is None
    assert cut(b"thr", finished=True) == Piece(3, broken=False)
    assert cut(b"") is None
    assert cut(b"", finished=True) is None


def test_only_the_bytes_read_into_the_buffer_count() -> None:
    assert take(bytearray(b"one\nold\n"), 4, 100, midline=False, finished=False) == Piece(4, broken=False)


def test_a_line_of_just_the_limit_is_not_too_long() -> None:
    assert cut(b"12345\n", 5) == Piece(6, broken=False)
    assert cut(b"123456\n", 5) == Piece(5, broken=True)


def test_the_neighbours_of_a_long_line_are_untouched() -> None:
    assert pieces(b"ab\n1234567890xy\ncd\n", 5, 1000) == [
        (b"ab\n", False),
        (b"12345", True),
        (b"67890", True),
        (b"xy\n", True),
        (b"cd\n", False),
    ]


def test_a_long_line_is_not_split_inside_a_character() -> None:
    assert cut("abcé€xyz\n".encode(), 4) == Piece(3, broken=True)
    assert cut("abcé€xyz\n".encode(), 7) == Piece(5, broken=True)
    assert cut(b"\x80" * 20, 8) == Piece(8, broken=True)  # no UTF-8 at all


def test_the_rest_of_a_line_already_begun_is_a_piece_of_its_own() -> None:
    assert cut(b"rest\nnext\n", midline=True) == Piece(5, broken=True)
    assert cut(b"rest", midline=True) is None
    assert cut(b"rest", midline=True, finished=True) == Piece(4, broken=True)


def test_padding_is_counted_up_to_the_first_other_byte() -> None:
    assert padding(b"\0\0\0a\0", 5) == 3
    assert padding(b"a\0", 2) == 0
    assert padding(b"\0\0\0\0", 2) == 2
    assert padding(b"", 0) == 0


@given(st.lists(st.sampled_from([b"a", b"bb", b"\n", b"\xc3\xa9", b"x" * 9])).map(b"".join), st.integers(4, 12))
def test_one_byte_at_a_time_gives_the_same_lines(content: bytes, max_line: int) -> None:
    at_once = pieces(content, max_line, 1000)
    assert b"".join(piece for piece, _ in at_once) == content
    assert _records(pieces(content, max_line, 1)) == _records(at_once)


def _records(handed_out: list[tuple[bytes, bool]]) -> list[tuple[bytes, bool]]:
    return [(line, broken) for piece, broken in handed_out for line in piece.splitlines(keepends=True)]
