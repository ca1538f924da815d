"""One HTTP/1.1 answer out of the bytes of a connection (RFC 9112). Pure: takes bytes, touches no socket.

Only what an answer to a POST can be: informational ones before it are skipped, trailers are dropped. Lenient in what no
decision hangs on, strict about where the answer ends, since the connection is used again.
"""

import re

from sidecar_logshipper.sinks.seam import Answer

MOST_HEAD_BYTES = 64 * 1024
_STATUS = re.compile(rb"HTTP/1\.([0-9]) ([0-9]{3})(?: |$)")
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
_LISTS = frozenset({b"connection", b"transfer-encoding"})
_NO_BODY = frozenset({204, 304})


class BadReply(Exception):
    """What came is no HTTP/1 answer."""


class Reply:
    """Feed it what arrives until it gives the answer; one object for one answer.

    Of the body the first `most_body` bytes are kept, and no more is waited for. `reusable`, once there is an answer:
    the connection is at the beginning of the next one.
    """

    def __init__(self, most_body: int) -> None:
        self._most_body = most_body
        self._waiting = b""
        self._status = 0
        self._retry_after: str | None = None
        self._left: int | None = None
        """Bytes of the body still to come; None when the end of the connection ends it."""
        self._chunked = False
        self._keep = True
        self._body = bytearray()
        self.reusable = False

    def feed(self, piece: bytes) -> Answer | None:
        """The answer, once it is whole. `piece` is what arrived, empty at the end of the connection.

        BadReply when it cannot be understood, ConnectionResetError when it ends too early.
        """
        self._waiting += piece
        begun = self._status > 0 or self._take_head()
        if begun and (self._take_chunks() if self._chunked else self._take_body()):
            self.reusable = self._keep and not self._waiting
        elif not piece:
            if not begun or self._chunked or self._left is not None:
                raise ConnectionResetError("the connection ended before the answer did")
        elif len(self._body) < self._most_body or not begun:
            return None
        return Answer(self._status, self._retry_after, bytes(self._body[: self._most_body]))

    def _take_head(self) -> bool:
        while True:
            end = self._waiting.find(b"\r\n\r\n")
            if end < 0:
                if len(self._waiting) > MOST_HEAD_BYTES:
                    raise BadReply("endless header")
                return False
            head, self._waiting = self._waiting[:end], self._waiting[end + 4 :]
            lines = head.split(b"\r\n")
            status = _STATUS.match(lines[0])
            if status is None:
                raise BadReply("no HTTP/1 status line")
            if not 100 <= int(status[2]) < 200:
                self._status = int(status[2])
                self._take_fields(lines[1:], old=status[1] == b"0")
                return True

    def _take_fields(self, lines: list[bytes], *, old: bool) -> None:
        """`old`: HTTP/1.0, where a connection is kept only when the server says so."""
        fields: dict[bytes, bytes] = {}
        for line in lines:
            name, _, value = line.partition(b":")
            name, value = name.lower(), value.strip(b" \t")
            if name == b"content-length" and fields.get(name, value) != value:
                raise BadReply("two lengths")
            fields[name] = b",".join((fields[name], value)) if name in _LISTS and name in fields else value
        asked = fields.get(b"connection", b"").lower()
        self._keep = b"close" not in asked and (not old or b"keep-alive" in asked)
        if b"retry-after" in fields:
            self._retry_after = fields[b"retry-after"].decode("latin-1")
        coding, length = fields.get(b"transfer-encoding"), fields.get(b"content-length")
        if self._status in _NO_BODY:
            self._left = 0
        elif coding is not None:
            self._chunked = coding.lower().endswith(b"chunked")
        elif length is not None:
            if not length.isdigit() or len(length) > 15:
                raise BadReply("no length")
            self._left = int(length)

    def _take_body(self) -> bool:
        if self._left is None:
            self._body += self._waiting
            self._waiting = b""
            return False
        taken = self._waiting[: self._left]
        self._waiting = self._waiting[self._left :]
        self._left -= len(taken)
        self._body += taken
        return self._left == 0

    def _take_chunks(self) -> bool:
        """RFC 9112 section 7.1. `_left` counts down the chunk under way, its line end included."""
        while True:
            if self._left:
                taken = self._waiting[: self._left]
                self._waiting = self._waiting[len(taken) :]
                self._body += taken[: max(0, self._left - 2)]
                self._left -= len(taken)
                if self._left:
                    return False
            line, found, rest = self._waiting.partition(b"\r\n")
            if not found:
                if len(line) > MOST_HEAD_BYTES:
                    raise BadReply("endless chunk header")
                return False
            size = _SIZE.fullmatch(line)
            if size is None:
                raise BadReply("no chunk size")
            if int(size[1], 16) == 0:
                return self._take_trailer(rest)
            self._left, self._waiting = int(size[1], 16) + 2, rest

    def _take_trailer(self, rest: bytes) -> bool:
        """After the last chunk come fields, then an empty line; until then the last chunk's size is left in place."""
        if rest.startswith(b"\r\n"):
            self._waiting = rest[2:]
            return True
        end = rest.find(b"\r\n\r\n")
        if end < 0:
            if len(rest) > MOST_HEAD_BYTES:
                raise BadReply("endless trailer")
            return False
        self._waiting = rest[end + 4 :]
        return True
