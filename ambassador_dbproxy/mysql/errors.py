"""ERR and OK packets (protocol documentation, "Generic Response Packets"): ours built, the server's read.

Texts are written by the callers and never hold a secret; here they are only made safe to frame.
"""

from __future__ import annotations

from dataclasses import dataclass

from ambassador_dbproxy.mysql.wire import Fields, ProtocolViolation, encode
from ambassador_dbproxy.refusal import Reason

MAX_TEXT_BYTES = 500  # the servers' own MYSQL_ERRMSG_SIZE is 512
ERR, OK, MORE, INFILE, SWITCH = 0xFF, 0x00, 0x01, 0xFB, 0xFE

_MARK = ord("#")
_STATE_BYTES = 6  # the mark and five characters
_EOF_BYTES = 5


@dataclass(frozen=True, slots=True)
class Code:
    """An error number and its SQLSTATE."""

    number: int
    sqlstate: str


TOO_MANY_CONNECTIONS = Code(1040, "08004")
BAD_HANDSHAKE = Code(1043, "08S01")
ACCESS_DENIED = Code(1045, "28000")
SHUTDOWN = Code(1053, "08S01")
NO_SUCH_THREAD = Code(1094, "HY000")
UNKNOWN = Code(1105, "HY000")
SERVER_LOST = Code(2013, "HY000")
TLS_FAILED = Code(2026, "HY000")

CODES = {
    Reason.CONNECTIONS: TOO_MANY_CONNECTIONS,
    Reason.WAITING: TOO_MANY_CONNECTIONS,
    Reason.HOLD: SERVER_LOST,
    Reason.LOGIN: ACCESS_DENIED,
    Reason.TLS: TLS_FAILED,
    Reason.PROTOCOL: BAD_HANDSHAKE,
    Reason.CLOSING: SHUTDOWN,
    Reason.BUG: UNKNOWN,
}
"""What each refusal is in this protocol. The numbers from 2000 are a client's own, for what only it can notice."""

NOT_ACCEPTING = frozenset({SHUTDOWN.number, 1077, 1079, 1927})
"""Answers to a login that mean "this server is not up": worth waiting for, unlike a refusal."""


@dataclass(frozen=True, slots=True)
class ServerError:
    """An ERR packet as it was read; before the client's capabilities are known it has no SQLSTATE."""

    number: int
    sqlstate: str
    message: str


def refusal(code: Code, text: str, sequence: int, *, greeted: bool = True) -> bytes:
    """A whole ERR packet. Before a greeting a client expects no SQLSTATE."""
    state = f"#{code.sqlstate}".encode() if greeted else b""
    message = text.replace("\0", " ").encode("utf-8", "replace")[:MAX_TEXT_BYTES]
    return encode(sequence, error_body(code.number, state + message))


def error_body(number: int, rest: bytes) -> bytes:
    """The body of an ERR packet."""
    return bytes((ERR,)) + number.to_bytes(2, "little") + rest


def read_error(body: bytes) -> ServerError:
    """From the body of an ERR packet. Never raises: a malformed one is read as far as it goes."""
    number, rest = int.from_bytes(body[1:3], "little"), body[3:]
    sqlstate = ""
    if len(rest) >= _STATE_BYTES and rest[0] == _MARK:
        sqlstate, rest = rest[1:_STATE_BYTES].decode("ascii", "replace"), rest[_STATE_BYTES:]
    return ServerError(number, sqlstate, rest[:MAX_TEXT_BYTES].decode("utf-8", "replace"))


def read_status(body: bytes) -> int:
    """The server status flags of an OK packet's body; ProtocolViolation if it is too short."""
    fields = Fields(body)
    if fields.integer(1) not in (OK, SWITCH):
        raise ProtocolViolation("not an OK packet")
    fields.length_encoded()
    fields.length_encoded()
    return fields.integer(2)


def end_status(start: bytes, length: int) -> int:
    """Status flags of an end mark in either form, the old one of five bytes or that of an OK packet."""
    if length == _EOF_BYTES or (start[1] < INFILE and start[2] < INFILE):
        return start[3] | start[4] << 8  # both forms have them here, unless many rows were changed
    return read_status(start)
