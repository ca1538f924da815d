"""From the bytes of a log file to newline-delimited JSON, a whole chunk at a time. Pure.

A line is a JSON object when a JSON parser (msgspec's, over the whole chunk in one call) says so. It goes through
unchanged but for the metadata put in front of its members, so that of two equal names the line's own value comes last
and stands. Any other line becomes `{"message": …}`: what is not UTF-8 in it is replaced by U+FFFD, a carriage return at
its end is dropped. Bytes inside an object that are not UTF-8 are left alone.
"""

import re
from collections.abc import Mapping

import msgspec

from sidecar_logshipper.ledger import count


class _Object(msgspec.Struct):
    """Any JSON object: unknown members are checked for their syntax and skipped."""


_OBJECT = msgspec.json.Decoder(_Object)
_MAY_BE_OBJECT = re.compile(rb"\n[ \t\r]*\{")
_ESCAPED_CONTROLS = [
    (code, {0x09: b"\\t", 0x0D: b"\\r"}.get(code, b"\\u%04x" % code)) for code in range(0x20) if code != 0x0A
]
_PARTIAL = b'"log.partial":true,'


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

    def encode(self, lines: bytes, *, partial: bool = False) -> bytes:
        """Records for `lines`, each ended by a newline, the last one too when the last line lacks its own.

        `partial`: these bytes are one piece of a longer line, whatever they look like.
        """
        if not lines:
            return b""
        if partial:
            return self._wrapped(lines.removesuffix(b"\n"), self._part_message)
        if not lines.endswith(b"\n"):
            lines += b"\n"
        if not lines.startswith(b"{"):
            if b"{" not in lines or not _MAY_BE_OBJECT.search(b"\n" + lines):
                return self._wrap_all(lines)
        elif (records := self._merge_all(lines)) is not None:
            return records
        return self.encode_by_line(lines)

    def _merge_all(self, lines: bytes) -> bytes | None:
        """The records if every line is a JSON object, None if that is not sure."""
        try:
            objects = len(_OBJECT.decode_lines(lines))
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None
        # As many objects as lines, and so one on each. (Where one line holds two and another object spans two lines,
        # the numbers agree too; then they go through as they are.)
        if self._bare:
            return lines if objects == count(lines) else None
        pieces = lines.split(b'}\n{"')
        if objects != len(pieces) or objects != count(lines) or not lines.startswith(b'{"'):
            return None
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
        except (msgspec.DecodeError, msgspec.ValidationError):
            return self._wrapped(line, self._message)
        if self._bare:
            return line + b"\n"
        rest = line[opening + 1 :]
        if rest.lstrip(b" \t\r").startswith(b"}"):
            return self._alone + b"\n"
        return line[:opening] + self._front + rest + b"\n"

    def _wrapped(self, line: bytes, opening: bytes) -> bytes:
        return opening + _escape(line.removesuffix(b"\r")) + b'"}\n'

    def _wrap_all(self, lines: bytes) -> bytes:
        if b"\r" in lines:
            lines = lines.replace(b"\r\n", b"\n")
        return self._message + _escape(lines[:-1]).replace(b"\n", self._between_messages) + b'"}\n'


def _escape(text: bytes) -> bytes:
    """The inside of JSON strings (RFC 8259 section 7); newlines are left alone."""
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
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
