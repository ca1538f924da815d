"""Which lines are no UTF-8 (RFC 3629)? Pure, and in bounded steps: to decode a whole chunk would triple its memory."""

import codecs

from logtail.multiline import MARK

_STEP = 64 * 1024


def is_valid(text: bytes) -> bool:
    if text.isascii():
        return True
    at, view = 0, memoryview(text)
    try:
        while at < len(text):
            at += codecs.utf_8_decode(view[at : at + _STEP], "strict", at + _STEP >= len(text))[1]
    except UnicodeDecodeError:
        return False
    return True


def invalid_lines(text: bytes, *, joined: bool = False) -> int:
    """How many lines hold bytes that are no UTF-8. `joined`: a MARK is a newline."""
    if joined and not text.isascii():
        text = text.replace(MARK, b"\n")
    return 0 if is_valid(text) else sum(not is_valid(line) for line in text.split(b"\n"))
