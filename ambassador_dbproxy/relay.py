"""Bytes between the app and the server, each leg writing straight into the other's transport.

This is the hot path: per chunk a counter, a write, and what a protocol's own leg adds. Write buffers are bounded by
pausing the other side; an end-of-file closes one direction only, and a reset is one on the other side too. Who may
talk to whom was decided before.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import cast

from ambassador_dbproxy.conversation import LINGER_S, Conversation

WRITE_HIGH_BYTES, WRITE_LOW_BYTES = 262144, 65536
"""A leg whose peer reads slowly is given this much; then the other leg is paused until it is down to the low mark."""

_INTEGER = struct.Struct("i")
_WITHOUT_LINGERING = struct.pack("ii", 1, 0)  # struct linger: on, for 0 seconds


class Leg(asyncio.Protocol):
    """One of the two connections of a session. `received` counts the bytes that came in on it."""

    __slots__ = ("ended", "eof", "forward", "on_lost", "peer", "received", "transport")

    def __init__(self, conversation: Conversation) -> None:
        self.transport = conversation.transport
        self.received = 0
        self.eof = False
        self.ended = conversation.lost
        self.peer: Leg = self
        self.forward: Callable[[bytes], None] = self.transport.write
        self.on_lost: Callable[[Leg], None] = ignore_loss

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.forward(data)

    def joined(self) -> None:
        """Called by `join` once both legs are wired, before anything moves: the moment to forward elsewhere first."""

    def say_goodbye(self) -> None:
        """Close after what was written has gone out and the peer has closed, or after LINGER_S."""
        if self.eof:
            self.transport.close()
            return
        self.transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_S, self.transport.close)

    def pause_writing(self) -> None:
        if not self.peer.ended:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.peer.ended:
            self.peer.transport.resume_reading()

    def eof_received(self) -> bool:
        self.eof = True
        if self.peer.eof:
            self.transport.close()
            self.peer.transport.close()
        elif not self.peer.ended and not self.peer.transport.is_closing():
            self.peer.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        if not self.peer.ended:
            if isinstance(exc, ConnectionResetError):
                _close_by_reset(self.peer.transport)
            self.peer.transport.close()
        self.on_lost(self)


def join(app: tuple[Conversation, Leg], server: tuple[Conversation, Leg], on_lost: Callable[[Leg], None]) -> None:
    """Let two conversations go on as the two legs of a session, with what each had not read yet going first.

    `on_lost` is called for each leg when its connection is gone, the first time before the other one is closed out.
    """
    for (conversation, leg), (_, other) in ((app, server), (server, app)):
        leg.peer = other
        leg.forward = other.transport.write
        leg.on_lost = on_lost
        conversation.on_gone = None
        if not conversation.lost:
            leg.transport.set_write_buffer_limits(WRITE_HIGH_BYTES, WRITE_LOW_BYTES)
            leg.transport.set_protocol(cast(asyncio.BaseProtocol, leg))
    app[1].joined()
    server[1].joined()
    for (conversation, leg), (beyond, _) in ((app, server), (server, app)):
        if (unread := conversation.take_unread()) and not beyond.lost:
            leg.data_received(unread)
        if conversation.eof:
            leg.eof_received()
        if conversation.lost:
            leg.connection_lost(None)


def _close_by_reset(transport: asyncio.Transport) -> None:
    """Close by a reset, unless bytes are unacknowledged, which that would take back: it is then left to be closed.

    A client that finds its connection reset knows that what it asks next was not done: MariaDB's wait_timeout ends
    sessions so, and drivers that reconnect by themselves do it for this, not for an end-of-file behind a question.
    Last words right before a reset may come with an end-of-file, or be lost to a reset, as they may be directly: a
    kernel has acknowledged what its app has not read yet.
    """
    if transport.is_closing() or transport.get_write_buffer_size():
        return
    sock = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # some systems do not tell what is under way
        (unacknowledged,) = _INTEGER.unpack(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(_INTEGER.size)))
        if not unacknowledged:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _WITHOUT_LINGERING)
            transport.abort()  # closing a TLS transport would say goodbye first


def ignore_loss(_: Leg) -> None:
    """The `on_lost` of a leg that belongs to no session, or to one that is over."""
