"""ErrorResponse in both directions (protocol 3, "Error and Notice Message Fields"): ours built, the server's read.

Texts are written by the callers and never hold a secret; here they are only made safe to frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

from ambassador_dbproxy.postgres.wire import encode

MAX_TEXT_CHARS = 1000
MAX_PASSED_BYTES = 16384
"""Of a server's error no more is passed on: libpq takes one of more than 30,000 bytes for something else."""

CONNECTION_FAILURE = "08006"
PROTOCOL_VIOLATION = "08P01"
INVALID_AUTHORIZATION = "28000"
INVALID_PASSWORD = "28P01"
TOO_MANY_CONNECTIONS = "53300"
ADMIN_SHUTDOWN = "57P01"
CRASH_SHUTDOWN = "57P02"
CANNOT_CONNECT_NOW = "57P03"
INTERNAL_ERROR = "XX000"

NOT_ACCEPTING = frozenset({ADMIN_SHUTDOWN, CRASH_SHUTDOWN, CANNOT_CONNECT_NOW})
"""Answers to a login that mean "this server is not up": worth waiting for, unlike a refusal."""


_ALWAYS_THERE = (b"SFATAL", b"VFATAL", b"C" + INVALID_AUTHORIZATION.encode(), b"Mthe server refused the login")


@dataclass(frozen=True, slots=True)
class ServerError:
    """The fields of an ErrorResponse that matter here; missing ones are empty."""

    severity: str
    sqlstate: str
    message: str


def fatal(sqlstate: str, message: str) -> bytes:
    """An ErrorResponse of severity FATAL, which ends the session at the client."""
    fields = [("S", "FATAL"), ("V", "FATAL"), ("C", sqlstate), ("M", message)]
    body = b"".join(code.encode() + _text(value) for code, value in fields if value)
    return encode(b"E", body + b"\0")


def with_hint(body: bytes, hint: str) -> bytes:
    """The server's ErrorResponse to a login, each field as it was sent, and `hint` where it gives none of its own.

    Of a malformed one at most MAX_PASSED_BYTES are passed on, and nothing behind its end; what every error has is
    filled in.
    """
    fields = list(takewhile(bool, body[:MAX_PASSED_BYTES].split(b"\0")))
    told = {field[:1] for field in fields}
    missing = [field for field in (*_ALWAYS_THERE, b"H" + hint.encode()) if field[:1] not in told]
    return encode(b"E", b"\0".join((*fields, *missing)) + b"\0\0")


def read_error(body: bytes) -> ServerError:
    """The fields of an ErrorResponse body. Never raises: a malformed one is read as far as it goes."""
    fields: dict[str, str] = {}
    for field in body.split(b"\0"):
        if field:
            fields.setdefault(chr(field[0]), field[1 : MAX_TEXT_CHARS + 1].decode("utf-8", "replace"))
    severity = fields.get("V", fields.get("S", ""))
    return ServerError(severity, fields.get("C", ""), fields.get("M", ""))


def _text(value: str) -> bytes:
    return value.replace("\0", " ")[:MAX_TEXT_CHARS].encode("utf-8", "replace") + b"\0"
