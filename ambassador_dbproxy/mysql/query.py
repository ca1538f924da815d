"""The little that the ambassador itself asks a server: one statement, one value (protocol documentation, "COM_QUERY").

Bodies in, a value out; sending and reading packets is the caller's.
"""

from __future__ import annotations

from ambassador_dbproxy.mysql import capabilities as can
from ambassador_dbproxy.mysql.errors import ERR, OK, SWITCH
from ambassador_dbproxy.mysql.login import ServerRefused
from ambassador_dbproxy.mysql.wire import Fields, ProtocolViolation

QUIT = b"\x01"
_COM_QUERY = b"\x03"
_NO_ATTRIBUTES = b"\0\1"
_NULL = 0xFB
MAX_PACKETS = 16


def statement(sql: str, capabilities: int) -> bytes:
    """The body of a COM_QUERY at a server with which these capabilities were agreed."""
    return _COM_QUERY + (_NO_ATTRIBUTES if capabilities & can.QUERY_ATTRIBUTES else b"") + sql.encode()


class OneValue:
    """The response to a statement. Feed it each packet's body until `done`; then `value` is the first row's first.

    Raises ServerRefused for an error, ProtocolViolation for a longer result than one value has.
    """

    def __init__(self, capabilities: int) -> None:
        self.done = False
        self.value: bytes | None = None
        self._ends = 1 if capabilities & can.DEPRECATE_EOF else 2
        self._seen = 0
        self._row = 2 if capabilities & can.DEPRECATE_EOF else 3

    def receive(self, body: bytes) -> None:
        """Take one packet's body."""
        at, self._seen = self._seen, self._seen + 1
        if not body or at > MAX_PACKETS:
            raise ProtocolViolation("not the result of one value")
        if body[0] == ERR:
            raise ServerRefused(body)
        if at == 0:
            self.done = body[0] == OK
        elif body[0] == SWITCH:
            self._ends -= 1
            self.done = not self._ends
        elif at == self._row and body[0] != _NULL:
            self.value = Fields(body).counted()
