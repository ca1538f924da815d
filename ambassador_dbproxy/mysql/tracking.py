"""Follows a session's packets by their first bytes, to know when it is at a quiet moment and when the app asks for a
change of user (protocol documentation, "Command Phase").

Chunks are looked at, never copied; of a packet cut by a chunk's edge at most LOOK_BYTES are kept. A session is quiet
when every command has its whole response and the last status had no transaction open.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from ambassador_dbproxy.mysql import capabilities as can
from ambassador_dbproxy.mysql.errors import ERR, INFILE, OK, SWITCH, end_status, read_error
from ambassador_dbproxy.mysql.greeting import COM_CHANGE_USER
from ambassador_dbproxy.mysql.query import QUIT
from ambassador_dbproxy.mysql.replies import REPLIES, Phase, Reply
from ambassador_dbproxy.mysql.wire import HEAD_BYTES, LARGEST_BODY, ProtocolViolation

LOOK_BYTES = 32
"""An OK packet's status, an ERR packet's SQLSTATE and a prepared statement's counts all lie within these."""
MAX_PIPELINED = 65536
"""Commands without a response yet. Beyond it the stream is no longer followed."""

IN_TRANSACTION, MORE_RESULTS, CURSOR = 0x0001, 0x0008, 0x0040
_HEAD_AND_MARK = struct.Struct("<IB")
_COM_QUIT = QUIT[0]
_PROGRESS = 0xFFFF
_LEAST_OK_BYTES = 7
_COM_BYTES = HEAD_BYTES + 1

# Plain names: the loops over packets look at them often.
_IDLE, _FIRST, _ENDS = Phase.IDLE, Phase.FIRST, Phase.ENDS
_RESULT = Reply.RESULT


class SessionTracker:
    """Fed with each chunk of both directions. `transactions` counts responses.

    With `intercept`, a change of user and what follows it are not passed on but kept in `held`. If a stream turns out
    not to be the protocol, tracking stops for good: the session is then never quiet.
    """

    __slots__ = (
        "_busy", "_count", "_ends", "_ends_of_result", "_infile", "_intercept", "_kept", "_kind", "_last", "_long",
        "_metadata_optional", "_on_error", "_phase", "_queue", "_sent_kept", "_sent_long", "_sent_skip", "_skip",
        "_status", "held", "lost", "said_goodbye", "transactions",
    )  # fmt: skip

    def __init__(self, capabilities: int, status: int, *, intercept: bool, on_error: Callable[[str], None]) -> None:
        """The server has just let the app in, with this status. `on_error` is called with each SQLSTATE seen."""
        self.transactions = 0
        self.lost = self.said_goodbye = False
        self.held: bytearray | None = None
        self._ends_of_result = 1 if capabilities & can.DEPRECATE_EOF else 2
        self._metadata_optional = bool(capabilities & can.OPTIONAL_METADATA)
        self._intercept = intercept
        self._on_error = on_error
        self._status = status
        self._phase, self._kind = Phase.IDLE, Reply.NONE
        self._queue: list[Reply] = []  # of further commands that were sent before the response to the first came
        self._ends = self._count = 0
        self._infile = False  # the app sends a file, up to an empty packet
        self._last = 0  # sequence id of the server's last packet
        self._skip = self._sent_skip = 0  # bytes of the current packet still to come
        self._kept = self._sent_kept = b""  # the start of a packet, cut by the edge of a chunk
        self._long = self._sent_long = False  # the next packet continues the last one
        self._busy = False  # the app is not at the start of a command

    @property
    def quiet(self) -> bool:
        """True between transactions, with nothing asked and nothing half sent in either direction."""
        return self.answered and not (self._status & IN_TRANSACTION or self._busy)

    @property
    def answered(self) -> bool:
        """True when every command that was passed on has its whole response."""
        return self._phase is Phase.IDLE and not (self._skip or self._kept or self.lost)

    @property
    def between_packets(self) -> bool:
        """True when the app has only whole packets, so that one of ours may follow."""
        return not (self._skip or self._kept or self._long or self.lost)

    @property
    def next_sequence(self) -> int:
        """The sequence id of a packet of ours: it goes on with the response, or is the one to the next command."""
        begun = self._phase > Phase.FIRST or (self._phase is Phase.FIRST and self._status & MORE_RESULTS)
        return (self._last + 1) & 0xFF if begun else 1

    def user_changed(self, status: int) -> bytes:
        """The change of user is over, with this status; returns what the app sent behind it."""
        rest, self.held = bytes(self.held or b""), None
        self._busy = False
        self._status = status
        return rest

    def client_bytes(self, chunk: bytes) -> bytes:
        """Look at a chunk on its way to the server; returns what may pass now."""
        if self._phase is _IDLE and not self._busy and len(chunk) >= _COM_BYTES:
            length, command = _HEAD_AND_MARK.unpack_from(chunk)
            # Equal only if the fourth byte, the sequence id, is zero.
            if length == len(chunk) - HEAD_BYTES and length != LARGEST_BODY and REPLIES[command] is _RESULT:
                # By far the most: one command, asked when nothing else is.
                self._kind, self._phase = _RESULT, _FIRST
                return chunk
        if self.held is not None:
            self.held += chunk
            return b""
        if self.lost:
            return self.take_kept() + chunk  # what waited for its header goes first
        return self._walk_client(self._sent_kept + chunk if self._sent_kept else chunk)

    def _walk_client(self, chunk: bytes) -> bytes:
        at, end = self._sent_skip, len(chunk)
        self._sent_kept, self._sent_skip = b"", 0
        while at < end:
            if end - at < HEAD_BYTES:
                break
            length = chunk[at] | chunk[at + 1] << 8 | chunk[at + 2] << 16
            continues = self._sent_long
            if self._infile:
                self._infile = bool(length or continues)
            elif length and not continues and not chunk[at + 3]:
                if end - at < _COM_BYTES:
                    break
                self._ask(REPLIES[chunk[at + HEAD_BYTES]])
                if self.lost:
                    return chunk
                if chunk[at + HEAD_BYTES] == _COM_QUIT:
                    self.said_goodbye = True
                if self._intercept and chunk[at + HEAD_BYTES] == COM_CHANGE_USER:
                    self.held = bytearray(chunk[at:])
                    self._busy = True
                    return chunk[:at]
            self._sent_long = length == LARGEST_BODY
            at += HEAD_BYTES + length
        passed = chunk
        if at < end:
            # What kind of packet this is shows in a byte that has not come: it waits for that.
            self._sent_kept, passed = chunk[at:], chunk[:at]
        else:
            self._sent_skip = at - end
        self._busy = bool(self._sent_kept or self._sent_skip or self._sent_long or self._infile or self.lost)
        return passed

    def take_kept(self) -> bytes:
        """What waits for the rest of its header, when no rest can come any more."""
        kept, self._sent_kept = self._sent_kept, b""
        return kept

    def _ask(self, kind: Reply) -> None:
        if kind is Reply.LOGIN and self._intercept:
            return
        if kind is Reply.UNKNOWN or len(self._queue) >= MAX_PIPELINED:
            self._lose()
        elif kind is not Reply.NONE:
            if self._phase is Phase.IDLE:
                self._begin(kind)
            else:
                self._queue.append(kind)

    def server_bytes(self, chunk: bytes) -> None:
        """Look at a chunk on its way to the app."""
        end = len(chunk)
        at = self._skip
        if at >= end:
            self._skip = at - end
            return
        if self._kept:
            chunk = self._kept + chunk
            end = len(chunk)
            self._kept = b""
        last, phase, read = at, self._phase, _HEAD_AND_MARK.unpack_from
        while end - at > HEAD_BYTES:
            length, mark = read(chunk, at)
            length &= LARGEST_BODY  # the fourth byte is the sequence id
            if phase is _ENDS:
                if mark < SWITCH and length != LARGEST_BODY and not self._long:
                    # By far the most: a column or a row.
                    last = at
                    at += HEAD_BYTES + length
                    continue
            elif phase is _FIRST and OK < mark < INFILE and self._kind is _RESULT and 0 < length < LARGEST_BODY:
                # The next most: the number of columns.
                phase, self._phase, self._ends = _ENDS, _ENDS, self._ends_of_result
                last = at
                at += HEAD_BYTES + length
                continue
            if length and not self._long:
                look = length + HEAD_BYTES if length < LOOK_BYTES - HEAD_BYTES else LOOK_BYTES
                if end - at < look:
                    break
                self._packet(chunk[at + HEAD_BYTES : at + look], length)
            phase, self._long = self._phase, length == LARGEST_BODY
            last = at
            at += HEAD_BYTES + length
        self._last = chunk[last + 3] if end - last > 3 else self._last
        if at < end:
            self._keep(chunk[at:])
        else:
            self._skip = at - end

    def _keep(self, piece: bytes) -> None:
        if len(piece) == HEAD_BYTES and piece[:3] == b"\0\0\0":
            self._long = False  # an empty packet ends a long one
            self._last, self._skip = piece[3], 0
            return
        self._kept, self._skip = piece, 0

    def _packet(self, start: bytes, length: int) -> None:
        """Decide by the first bytes of a packet, whose body has `length`."""
        try:
            _PHASES[self._phase](self, start, length)
        except (ProtocolViolation, IndexError):
            self._lose()

    def _unasked(self, start: bytes, length: int) -> None:
        if start[0] == ERR:
            self._on_error(read_error(start).sqlstate)
        else:
            self._lose()

    def _first(self, start: bytes, length: int) -> None:
        kind, mark = self._kind, start[0]
        if kind is Reply.ONE:
            self._finish()
        elif mark == ERR:
            self._failed(start)
        elif kind is Reply.PREPARED:
            self._prepared(start)
        elif mark == OK and length < _LEAST_OK_BYTES and self._metadata_optional:
            self._phase, self._ends = Phase.ENDS, self._ends_of_result  # no metadata, and the number of columns
        elif mark == OK or (mark == SWITCH and kind is not Reply.LOGIN):
            self._succeeded(start, length)
        elif kind is Reply.LOGIN:
            pass  # goes on
        elif mark == INFILE:
            self._infile = self._busy = True
        else:
            self._phase, self._ends = Phase.ENDS, self._ends_of_result

    def _end_mark(self, start: bytes, length: int) -> None:
        if start[0] == ERR:
            self._failed(start)
        elif start[0] == SWITCH and (length < 9 or (self._ends_of_result == 1 and length < LARGEST_BODY)):
            self._ends -= 1
            status = end_status(start, length)
            if not self._ends or status & CURSOR:
                self._succeeded(start, length)

    def _one_of_many(self, start: bytes, length: int) -> None:
        self._count -= 1
        if not self._count:
            self._finish()

    def _prepared(self, start: bytes) -> None:
        columns, parameters = int.from_bytes(start[5:7], "little"), int.from_bytes(start[7:9], "little")
        if self._metadata_optional and len(start) > 12 and not start[12]:
            columns = parameters = 0
        if self._ends_of_result == 1:
            self._phase, self._count = Phase.COUNTED, columns + parameters
        else:
            self._phase, self._ends = Phase.ENDS, bool(columns) + bool(parameters)
        if not columns and not parameters:
            self._finish()

    def _failed(self, start: bytes) -> None:
        error = read_error(start)
        if error.number != _PROGRESS:  # MariaDB's progress reports look like errors and end nothing
            self._on_error(error.sqlstate)
            self._status &= ~MORE_RESULTS
            self._finish()

    def _succeeded(self, start: bytes, length: int) -> None:
        self._status = end_status(start, length)
        if self._status & MORE_RESULTS and self._kind is Reply.RESULT:
            self._phase = Phase.FIRST
        else:
            self._finish()

    def _finish(self) -> None:
        self.transactions += 1
        self._phase = Phase.IDLE
        if self._queue:
            self._begin(self._queue.pop(0))

    def _begin(self, kind: Reply) -> None:
        self._kind = kind
        self._phase, self._ends = (Phase.ENDS, 1) if kind is Reply.ROWS else (Phase.FIRST, 0)

    def _lose(self) -> None:
        self.lost = self._busy = True
        self._kept = b""
        self._skip = 1 << 62


_PHASES = (SessionTracker._unasked, SessionTracker._first, SessionTracker._end_mark, SessionTracker._one_of_many)
"""By the number of the phase."""
