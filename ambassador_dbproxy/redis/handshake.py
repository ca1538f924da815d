"""The app's first commands while it still logs in: which of them the server sees, and in which form. No I/O.

The ambassador has logged in already. So AUTH is answered here, HELLO goes on without its AUTH, and what drivers send
beside them (names, versions, SELECT) goes on as it is. The first other command ends the handshake for good: from
there on nothing is read or counted any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from ambassador_dbproxy.redis.commands import Command, Cut, cut_command
from ambassador_dbproxy.redis.resp import Push, ReplyReader, encode_command

MAX_COMMANDS = 64
"""After so many commands an app is taken for logged in, whatever it sends."""

OK = b"+OK\r\n"
_CLIENT_WORDS = frozenset({b"SETNAME", b"SETINFO", b"ID", b"GETNAME", b"NO-EVICT", b"NO-TOUCH", b"MAINT_NOTIFICATIONS"})
"""Subcommands of CLIENT that each have exactly one reply and change nothing about later ones."""


class Verdict(Enum):
    """What becomes of one command."""

    ANSWER = auto()  # here, with +OK
    PASS = auto()  # to the server, whose one reply is counted
    END = auto()  # to the server, with all that follows


@dataclass(slots=True)
class Moves:
    """What to write now, each to its side."""

    to_server: bytes = b""
    to_app: bytes = b""


class Handshake:
    """Fed with the bytes of both sides; once `done`, bytes pass without it.

    A reply of ours must come in its turn: while `waiting` replies of the server are due, the commands behind are kept.
    With `database_is_set`, a SELECT of the app is answered like AUTH: the environment's database stands in for it.
    Raises ProtocolViolation, after which it is of no further use.
    """

    def __init__(self, *, database_is_set: bool) -> None:
        self.done = False
        self.waiting = 0
        self._database_is_set = database_is_set
        self._kept = bytearray()
        self._replies = ReplyReader()
        self._commands = 0

    @property
    def blocked(self) -> bool:
        """True while whole commands are kept until the server has answered those before them."""
        return bool(self._kept) and not self._in_turn

    def app_bytes(self, data: bytes) -> Moves:
        """Take bytes of the app."""
        self._kept += data
        moves = Moves()
        self._go_on(moves)
        return moves

    def server_bytes(self, data: bytes) -> Moves:
        """Take bytes of the server; they are always passed on, first and whole."""
        self._replies.feed(data)
        while (reply := self._replies.next_reply()) is not None:
            if not isinstance(reply[0], Push) and self.waiting:
                self.waiting -= 1
        moves = Moves(to_app=data)
        self._go_on(moves)
        return moves

    @property
    def _in_turn(self) -> bool:
        return not self.waiting and self._replies.between_replies

    def _go_on(self, moves: Moves) -> None:
        """Decide about every command that is here, up to one whose turn has not come."""
        while not self.done:
            command = cut_command(self._kept)
            if command is Cut.PENDING:
                return
            verdict = self._verdict(command)
            if verdict is Verdict.END:
                self.done = True
                moves.to_server += bytes(self._kept)
                self._kept.clear()
                return
            assert isinstance(command, Command)
            if verdict is Verdict.ANSWER:
                if not self._in_turn:
                    return
                moves.to_app += OK
            else:
                moves.to_server += _without_login(command) or bytes(self._kept[: command.size])
                self.waiting += 1
            self._commands += 1
            del self._kept[: command.size]

    def _verdict(self, command: Command | Cut) -> Verdict:
        if not isinstance(command, Command) or self._commands >= MAX_COMMANDS:
            return Verdict.END
        words = len(command.words)
        match command.name:
            case b"AUTH" if words in (1, 2):
                return Verdict.ANSWER
            case b"SELECT" if self._database_is_set and words == 1 and command.words[0].isdigit():
                return Verdict.ANSWER
            case b"CLIENT" if not words or command.words[0].upper() not in _CLIENT_WORDS:
                return Verdict.END
            case _:
                return Verdict.PASS


def _without_login(command: Command) -> bytes | None:
    """HELLO [version [AUTH user password] [SETNAME name]] without AUTH; None if there is none, or it is malformed."""
    if command.name != b"HELLO":
        return None
    words = list(command.words)
    at = 1
    while at < len(words):
        option = words[at].upper()
        if option == b"AUTH" and at + 2 < len(words):
            del words[at : at + 3]
        elif option == b"SETNAME" and at + 1 < len(words):
            at += 2
        else:
            return None
    if len(words) == len(command.words):
        return None
    if command.inline:
        return b" ".join((command.name, *words)) + b"\r\n"
    return encode_command(command.name, *words)
