"""The border to an HTTP server: one kept-alive connection a lane, blocking, used from a worker thread.

A large body goes out with one system call and no copy, which takes less CPU than an event loop's client or http.client
do. Connecting is left to `dial`, reading the answer to `reply`, what it means to the dialects, trying again to
`delivery`.
"""

import select
import socket
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from sidecar_logshipper.sinks.dial import Dial
from sidecar_logshipper.sinks.reply import BadReply, Reply
from sidecar_logshipper.sinks.seam import Answer
from sidecar_logshipper.sinks.settings import OverHttp

MOST_ANSWER_BYTES = 64 * 1024
RECEIVE_BYTES = 64 * 1024
MOST_PIECES = 512  # in one system call; the kernel takes 1,024


class HttpLane:
    """One connection; `send` is called by one thread at a time, `abort` and `close` from anywhere.

    `target` is where to POST, with the query; `headers` come on top of those of the settings. `most_answer_bytes`: of
    an answer's body, so many are read.
    """

    def __init__(
        self,
        settings: OverHttp,
        target: str,
        headers: Mapping[str, str],
        authorization: Callable[[], Mapping[str, str]],
        most_answer_bytes: int = MOST_ANSWER_BYTES,
    ) -> None:
        parts = urlsplit(settings.url)
        https = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if https else 80)
        self._dial = Dial(host, port, tls=settings.tls if https else None, timeout=settings.timeout)
        self._secured = https
        self._authorization = authorization
        self._most_answer_bytes = most_answer_bytes
        fields = {"Host": parts.netloc, "User-Agent": "podmates-logshipper", **headers}
        if settings.compression != "none":
            fields["Content-Encoding"] = settings.compression
        self._head = f"POST {target} HTTP/1.1\r\n{_lines(fields | settings.headers)}"
        self._socket: socket.socket | None = None

    def send(self, body: Sequence[bytes]) -> Answer:
        """POST the body's pieces one after the other. Unreachable without an answer, SecretUnreadable without
        credentials. A kept connection that the server has closed meanwhile is replaced once, silently."""
        length = {"Content-Length": str(sum(map(len, body)))}
        head = f"{self._head}{_lines(self._authorization())}{_lines(length)}\r\n".encode("latin-1")
        kept = self._socket is not None
        try:
            return self._exchange([head, *body])
        except (OSError, BadReply) as error:
            self.close()
            if not (kept and isinstance(error, ConnectionError)) or self._dial.aborted:
                raise self._dial.unreachable(error) from error
        try:
            return self._exchange([head, *body])
        except (OSError, BadReply) as error:
            self.close()
            raise self._dial.unreachable(error) from error

    def _exchange(self, request: Sequence[bytes]) -> Answer:
        if self._socket is not None and self._is_stale(self._socket):
            self.close()
        connection = self._socket = self._socket or self._dial.connect()
        cut_short: OSError | None = None
        try:
            if self._secured:
                for piece in request:
                    connection.sendall(piece)
            else:
                _send_all(connection, request)
        except (BrokenPipeError, ConnectionResetError) as error:
            # A server may refuse a body before it has all of it; that answer is worth more than the broken pipe.
            cut_short = error
        reply = Reply(self._most_answer_bytes)
        while (answer := reply.feed(connection.recv(RECEIVE_BYTES))) is None:
            pass
        if cut_short is not None and answer.status < 400:
            raise cut_short  # nothing else can be true of a body that the server does not have
        if cut_short is not None or not reply.reusable:
            self.close()  # half a request is in it, the server wants it so, or its answer is endless
        return answer

    def _is_stale(self, connection: socket.socket) -> bool:
        """Did the server say something unasked, or close? (Under TLS that cannot be told without reading.)"""
        if self._secured:
            return False
        look = select.poll()
        look.register(connection, select.POLLIN)
        return bool(look.poll(0))

    def abort(self) -> None:
        """For the end: wake the thread that waits in `send`; it raises Unreachable, and so do all later calls."""
        self._dial.abort()

    def close(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()


def _lines(fields: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items())


def _send_all(connection: socket.socket, pieces: Sequence[bytes]) -> None:
    """Header and body together, without copying them into one."""
    waiting = [memoryview(piece) for piece in reversed(pieces)]
    while waiting:
        sent = connection.sendmsg(waiting[: -MOST_PIECES - 1 : -1])
        while waiting and sent >= len(waiting[-1]):
            sent -= len(waiting.pop())
        if sent:
            waiting[-1] = waiting[-1][sent:]
