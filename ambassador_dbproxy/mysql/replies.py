"""Which shape of response each command has, and the phases it goes through (protocol documentation, "Command Phase").

Pure values; what moves from phase to phase is `tracking`.
"""

from __future__ import annotations

from enum import IntEnum

from ambassador_dbproxy.mysql.greeting import COM_CHANGE_USER


class Reply(IntEnum):
    """The shapes of response that commands have."""

    NONE = 0
    RESULT = 1  # OK, ERR, a file request, or columns and rows; possibly several in a row
    ROWS = 2  # packets up to one end mark
    PREPARED = 3
    ONE = 4  # one packet of free form
    LOGIN = 5  # authentication packets up to OK or ERR
    UNKNOWN = 6


class Phase(IntEnum):
    """What the next packet of the server is."""

    IDLE = 0  # nothing is owed
    FIRST = 1  # of a response
    ENDS = 2  # somewhere before as many end marks as `_ends`
    COUNTED = 3  # one of `_count` packets


_COMMANDS = {
    **dict.fromkeys((0, 2, 3, 5, 6, 7, 8, 10, 12, 13, 14, 21, 23, 26, 27, 31, 0xFA), Reply.RESULT),
    **dict.fromkeys((1, 24, 25), Reply.NONE),  # QUIT, STMT_SEND_LONG_DATA, STMT_CLOSE
    **dict.fromkeys((4, 18, 28, 30), Reply.ROWS),  # FIELD_LIST, BINLOG_DUMP, STMT_FETCH, BINLOG_DUMP_GTID
    9: Reply.ONE,  # STATISTICS
    COM_CHANGE_USER: Reply.LOGIN,
    22: Reply.PREPARED,
}
REPLIES = tuple(_COMMANDS.get(command, Reply.UNKNOWN) for command in range(256))
"""Command byte → the shape of its response."""
