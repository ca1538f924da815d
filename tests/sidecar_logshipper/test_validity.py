"""What is UTF-8 and what is not, held equal to Python's own decoder, across the steps it is looked at in."""

import pytest

from sidecar_logshipper.validity import _STEP, invalid_lines, is_valid


@pytest.mark.parametrize("text", [b"", b"plain\n", "é漢🙂\n".encode(), b"\xff", b"cut \xe2\x82", b"\xed\xa0\x80"])
@pytest.mark.parametrize("before", [0, _STEP - 3, _STEP - 2, _STEP - 1, _STEP])
def test_as_the_decoder_says(text: bytes, before: int) -> None:
    whole = b"x" * before + text
    try:
        whole.decode()
    except UnicodeDecodeError:
        assert not is_valid(whole)
    else:
        assert is_valid(whole)


def test_lines_are_counted() -> None:
    assert invalid_lines("fine é\n".encode() * 3) == 0
    assert invalid_lines(b"fine\nlatin \xe9 one\ntwo \xff\n") == 2
    assert invalid_lines("é".encode() + b"\xffnext\n", joined=True) == 0
    assert invalid_lines(b"\xe9\xffnext\n", joined=True) == 1
