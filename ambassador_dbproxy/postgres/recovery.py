"""Asking an old server for its role by SQL. PostgreSQL 14 and later report `in_hot_standby` by themselves. Pure."""

from __future__ import annotations

from ambassador_dbproxy.postgres.errors import read_error
from ambassador_dbproxy.postgres.login import ServerRefused
from ambassador_dbproxy.postgres.wire import Message, ProtocolViolation, encode

ASK_RECOVERY = encode(b"Q", b"SELECT pg_catalog.pg_is_in_recovery()\0")
_ONE_VALUE_OF_ONE_BYTE = b"\0\x01\0\0\0\x01"


def read_recovery(message: Message) -> bool | None:
    """What one message of the answer says: True for a standby; None if it says nothing about it."""
    if message.kind == b"E":
        raise ServerRefused(read_error(message.body), message.encode())
    if message.kind != b"D":
        return None
    if message.body not in (_ONE_VALUE_OF_ONE_BYTE + b"t", _ONE_VALUE_OF_ONE_BYTE + b"f"):
        raise ProtocolViolation("the server's answer about its role is not a boolean")
    return message.body.endswith(b"t")
