"""Syslog over TCP or TLS: the border, blocking, used from a worker thread. Messages are written by `syslog_format`.

The protocol has no acknowledgement: what the system took for sending counts as delivered, and is lost if the connection
breaks before the server has read it. So each lane keeps the last messages it sent, and after a broken connection sends
them again first. That narrows the gap and may repeat messages; it does not close it.
"""

import contextlib
import select
import socket
from collections import deque

from sidecar_logshipper.batch import Batch
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.sinks.dial import Dial
from sidecar_logshipper.sinks.seam import Sent, writing
from sidecar_logshipper.sinks.settings import SyslogSink
from sidecar_logshipper.sinks.syslog_format import SyslogFormat
from sidecar_logshipper.verdict import Action, Verdict

PIECE_BYTES = 64 * 1024


class ResendWindow:
    """The last messages sent, up to `most_bytes` of them."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._messages: deque[bytes] = deque()
        self._bytes = 0

    def sent(self, messages: list[bytes]) -> None:
        for message in messages:
            self._messages.append(message)
            self._bytes += len(message)
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._messages.popleft())

    def messages(self) -> list[bytes]:
        return list(self._messages)


class SyslogConnection:
    def __init__(self, settings: SyslogSink, origin: Origin) -> None:
        self._format = SyslogFormat(settings, origin)
        tls = settings.tls if settings.transport == "tls" else None
        self._dial = Dial(settings.address.host, settings.address.port, tls=tls, timeout=settings.timeout)
        self._window = ResendWindow(settings.resend_window)
        self._socket: socket.socket | None = None

    def send(self, batch: Batch) -> Sent:
        with writing():
            messages = [message for part in batch.parts for message in self._format.messages(part)]
        if self._socket is not None and _has_ended(self._socket):
            self.close()
        again: list[bytes] = []
        if self._socket is None:
            self._socket = self._dial.connect()
            again = self._window.messages()
        body = b"".join(again + messages)
        try:
            for start in range(0, len(body), PIECE_BYTES):  # each with a timeout of its own
                self._socket.sendall(body[start : start + PIECE_BYTES])
        except OSError as error:
            self.close()
            raise self._dial.unreachable(error) from error
        self._window.sent(messages)
        return Sent(Verdict(Action.ACK, "sent"), size=len(body))

    def abort(self) -> None:
        self._dial.abort()

    def close(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()


def _has_ended(connection: socket.socket) -> bool:
    """Has the server closed it? It never says anything else, and what is written into such a connection is lost."""
    look = select.poll()  # and not select, which knows no descriptor above 1023
    look.register(connection, select.POLLIN)
    if not look.poll(0):
        return False
    timeout = connection.gettimeout()
    try:
        connection.setblocking(False)
        return connection.recv(1024) == b""
    except (BlockingIOError, InterruptedError):
        return False
    except OSError as error:
        # TLS says in this way that it has read a record without data in it.
        return type(error).__name__ not in ("SSLWantReadError", "SSLWantWriteError")
    finally:
        connection.settimeout(timeout)
