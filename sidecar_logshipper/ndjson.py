"""From the bytes of a log file to newline-delimited JSON, a whole chunk at a time. Pure.

A line counts as a JSON object when it begins with `{` (then, after white space, `"` or the closing `}`) and ends with
`}`. That takes no parser, and is sound because nothing is lost by it: a line that only looks like an object is refused
by the sink and found, alone, in the dead-letter file. Such a line goes through unchanged but for the metadata put in
front of its members, so that on equal names the line's own value comes last and stands. Any other line becomes
`{"message": …}`; bytes that are not UTF-8 are replaced there by U+FFFD. A carriage return before a newline is dropped.
"""

import re
from collections.abc import Mapping

import msgspec

_OBJECT = re.compile(rb'\{[ \t]*(?:"|\}\Z)')
_EMPTY_OBJECT = re.compile(rb"\{[ \t]*\}")
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_ESCAPED_CONTROL = {bytes([code]): b"\\u%04x" % code for code in range(32)} | {b"\t": b"\\t", b"\r": b"\\r"}
_PARTIAL = b'"log.partial":true,'


class Ndjson:
    """Encodes with one set of metadata members."""

    content_type = "application/x-ndjson"

    def __init__(self, members: Mapping[str, str]) -> None:
        inside = msgspec.json.encode(dict(members))[1:-1]
        self._front = b"{" + inside + b"," if inside else b"{"
        self._alone = b"{" + inside + b"}"
        self._message = self._front + b'"message":"'
        self._between_objects = b"\n" + self._front + b'"'
        self._between_messages = b'"}\n' + self._message

    def encode(self, lines: bytes, *, partial: bool = False) -> bytes:
        """Records for `lines`, each ended by a newline, the last one too when the last line lacks its own.

        `partial`: these bytes are one piece of a longer line, whatever they look like.
        """
        if not lines:
            return b""
        if partial:
            return self.wrap_line(_bare(lines), self._front + _PARTIAL + b'"message":"')
        if b"\r" in lines:
            lines = lines.replace(b"\r\n", b"\n")
        if not lines.endswith(b"\n"):
            lines += b"\n"
        count = lines.count(b"\n")
        # Each pattern holds one newline, so these counts are reached only if every single line begins and ends so.
        if lines.startswith(b'{"') and lines.count(b"}\n") == count and lines.count(b'\n{"') == count - 1:
            if self._front == b"{":
                return lines
            return self._front + lines[1:].replace(b'\n{"', self._between_objects)
        if not lines.startswith(b"{") and b"\n{" not in lines:
            return self._wrap_all(lines)
        return self.encode_by_line(lines)

    def encode_by_line(self, lines: bytes) -> bytes:
        """The same as `encode` for whole lines, decided line by line: slower, and the measure of its fast paths."""
        return b"".join(map(self._record, lines.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n")))

    def _record(self, line: bytes) -> bytes:
        if not line.endswith(b"}") or not _OBJECT.match(line):
            return self.wrap_line(line, self._message)
        if _EMPTY_OBJECT.fullmatch(line):
            return self._alone + b"\n"
        return self._front + line[1:] + b"\n"

    def wrap_line(self, line: bytes, opening: bytes) -> bytes:
        return opening + _escape(line) + b'"}\n'

    def _wrap_all(self, lines: bytes) -> bytes:
        return self._message + _escape(lines[:-1]).replace(b"\n", self._between_messages) + b'"}\n'


def _bare(line: bytes) -> bytes:
    return line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")


def _escape(text: bytes) -> bytes:
    """The inside of JSON strings (RFC 8259 section 7); newlines are left alone."""
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            # By line, so that a character cut off by a newline cannot take the newline with it.
            text = b"\n".join(line.decode("utf-8", "replace").encode() for line in text.split(b"\n"))
    if b"\\" in text:
        text = text.replace(b"\\", b"\\\\")
    if b'"' in text:
        text = text.replace(b'"', b'\\"')
    if _CONTROL.search(text):
        text = _CONTROL.sub(lambda match: _ESCAPED_CONTROL[match[0]], text)
    return text
