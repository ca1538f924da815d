"""From the bytes of a log file to newline-delimited JSON, a whole chunk at a time. Pure.

A line is a JSON object when a JSON parser (msgspec's, over the whole chunk in one call) says so. It goes through
unchanged but for the metadata put in front of its members, so that of two equal names the line's own value comes last
and stands. Any other line becomes `{"message": …}`: what is not UTF-8 in it is replaced by U+FFFD, and the
record marked; a carriage return at its end is dropped. Bytes inside an object that are not UTF-8 are left alone.
"""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from logtail.multiline import MARK
from sidecar_logshipper.ledger import count
from sidecar_logshipper.validity import is_valid


class _Object(msgspec.Struct, gc=False):
    """Any JSON object: unknown members are checked for their syntax and skipped."""


_OBJECT = msgspec.json.Decoder(_Object)
_MARK = "\x7f"
_BETWEEN = b'"\x7f"'  # what stands in for a newline while lines are checked
_OBJECTS_AND_MARKS = msgspec.json.Decoder(_Object | Literal["\x7f"])
# A RecursionError: no JSON reader follows objects thousands deep.
_NO_OBJECT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MAY_BE_OBJECT = re.compile(rb"\n[ \t\r]*\{")
_ESCAPED_CONTROLS = [
    (code, {0x09: b"\\t", 0x0D: b"\\r"}.get(code, b"\\u%04x" % code)) for code in range(0x20) if code != 0x0A
]
_PARTIAL = b'"log.partial":true,'
_INVALID = b'"log.invalid_utf8":true,'
_MESSAGE = b'"message":"'


class Ndjson:
    """Encodes with one set of metadata members."""

    content_type = "application/x-ndjson"

    def __init__(self, members: Mapping[str, str]) -> None:
        inside = msgspec.json.encode(dict(members))[1:-1]
        self._bare = not inside
        self._alone = b"{" + inside + b"}"
        self._front = b"{" + inside + b"," if inside else b"{"
        self._message = self._front + b'"message":"'
        self._part_message = self._front + _PARTIAL + b'"message":"'
        self._between_objects = b"}\n" + self._front + b'"'
        self._between_messages = b'"}\n' + self._message

    def encode(self, lines: bytes, *, partial: bool = False, joined: bool = False) -> bytes:
        """Records for `lines`, each ended by a newline, the last one too when the last line lacks its own.

        `partial`: these bytes are one piece of a longer line, whatever they look like.
        `joined`: a `multiline.MARK` in a line is a newline of the record.
        """
        if not lines:
            return b""
        if partial:
            return self._wrapped(lines.removesuffix(b"\n"), self._part_message)
        if not lines.endswith(b"\n"):
            lines += b"\n"
        if joined and MARK in lines:
            return b"".join(map(self._joined_record, lines.removesuffix(b"\n").split(b"\n")))
        if not lines.startswith(b"{"):
            if b"{" not in lines or not _MAY_BE_OBJECT.search(b"\n" + lines):
                return self._wrap_all(lines)
        elif (records := self._merge_all(lines)) is not None:
            return records
        return self.encode_by_line(lines)

    def _merge_all(self, lines: bytes) -> bytes | None:
        """The records if every line is a JSON object, None if that is not sure."""
        if self._bare and _MARK.encode() not in lines:
            return lines if _one_object_a_line(lines) else None
        try:
            objects = len(_OBJECT.decode_lines(lines))
        except _NO_OBJECT:
            return None
        # Between two values inside an object there is a comma or a colon, inside a string no raw newline: so each of
        # these cuts is between two objects of their own. Then as many pieces and objects as lines is one on each.
        pieces = lines.split(b'}\n{"')
        if not len(pieces) == objects == count(lines) or not lines.startswith(b'{"'):
            return None
        if self._bare:
            return lines
        # split and join, because replace by a longer text looks for each place twice.
        return self._front + self._between_objects.join(pieces)[1:]

    def encode_by_line(self, lines: bytes) -> bytes:
        """The same as `encode` for whole lines, decided line by line: slower, and the measure of its fast paths."""
        return b"".join(map(self._record, lines.removesuffix(b"\n").split(b"\n")))

    def _record(self, line: bytes) -> bytes:
        opening = line.find(b"{")
        if opening < 0 or line[:opening].strip(b" \t\r"):
            return self._wrapped(line, self._message)
        try:
            _OBJECT.decode(line)
        except _NO_OBJECT:
            return self._wrapped(line, self._message)
        if self._bare:
            return line + b"\n"
        rest = line[opening + 1 :]
        if rest.lstrip(b" \t\r").startswith(b"}"):
            return self._alone + b"\n"
        return line[:opening] + self._front + rest + b"\n"

    def _joined_record(self, record: bytes) -> bytes:
        if MARK not in record:
            return self._record(record)
        pieces = [line.removesuffix(b"\r") for line in record.split(MARK)]
        flag = b"" if all(map(is_valid, pieces)) else _INVALID
        return self._front + flag + _MESSAGE + b"\\n".join(map(_escape, pieces)) + b'"}\n'

    def _wrapped(self, line: bytes, opening: bytes) -> bytes:
        if not is_valid(line):
            opening = opening.removesuffix(_MESSAGE) + _INVALID + _MESSAGE
        return opening + _escape(line.removesuffix(b"\r")) + b'"}\n'

    def _wrap_all(self, lines: bytes) -> bytes:
        if not is_valid(lines):
            return self.encode_by_line(lines)
        if b"\r" in lines:
            lines = lines.replace(b"\r\n", b"\n")
        return self._message + _escape(lines[:-1]).replace(b"\n", self._between_messages) + b'"}\n'


def _one_object_a_line(lines: bytes) -> bool:
    """Is each of these terminated lines one JSON object? They must not hold `_MARK`."""
    # Each newline becomes a value that no line can hold. What is parsed then is a row of objects with one of these
    # after each, unless a newline lay inside a value or a line holds no object or two. Costs little more than parsing.
    marked = lines.replace(b"\n", _BETWEEN)
    newlines = (len(marked) - len(lines)) // (len(_BETWEEN) - 1)
    try:
        values = _OBJECTS_AND_MARKS.decode_lines(marked)
    except _NO_OBJECT:
        return False
    return len(values) == 2 * newlines and values[1::2].count(_MARK) == newlines


def _escape(text: bytes) -> bytes:
    """The inside of JSON strings (RFC 8259 section 7); newlines are left alone."""
    if not is_valid(text):
        text = text.decode("utf-8", "replace").encode()
    if b"\\" in text:
        text = text.replace(b"\\", b"\\\\")
    if b'"' in text:
        text = text.replace(b'"', b'\\"')
    # One memchr for each control character is ten times as fast as one pass of a regular expression.
    for code, escaped in _ESCAPED_CONTROLS:
        if code in text:
            text = text.replace(bytes((code,)), escaped)
    return text
