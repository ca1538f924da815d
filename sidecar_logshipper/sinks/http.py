"""The border to an HTTP server: one kept-alive connection a lane, blocking, used from a worker thread.

http.client on a thread, because it carries a large body with less CPU than an event loop's client does: two system
calls and no copy. Connecting is left to `dial`, what an answer means to the dialects, trying again to `delivery`.
"""

import contextlib
import http.client
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from sidecar_logshipper.sinks.dial import Dial
from sidecar_logshipper.sinks.seam import Answer
from sidecar_logshipper.sinks.settings import OverHttp

MOST_ANSWER_BYTES = 64 * 1024


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
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if https else 80)
        self._dial = Dial(self._host, self._port, tls=settings.tls if https else None, timeout=settings.timeout)
        self._target = target
        self._authorization = authorization
        self._most_answer_bytes = most_answer_bytes
        self._headers = {"Host": parts.netloc, "User-Agent": "podmates-logshipper", **headers}
        if settings.compression != "none":
            self._headers["Content-Encoding"] = settings.compression
        self._headers |= settings.headers
        self._connection: http.client.HTTPConnection | None = None

    def send(self, body: Sequence[bytes]) -> Answer:
        """POST the body's pieces one after the other. Unreachable without an answer, SecretUnreadable without
        credentials. A kept connection that the server has closed meanwhile is replaced once, silently."""
        headers = {**self._headers, **self._authorization()}
        headers["Content-Length"] = str(sum(map(len, body)))
        kept = self._connection is not None
        try:
            return self._exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # RemoteDisconnected is a ConnectionError too.
            if not (kept and isinstance(error, ConnectionError)) or self._dial.aborted:
                raise self._dial.unreachable(error) from error
        try:
            return self._exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._dial.unreachable(error) from error

    def _exchange(self, body: Sequence[bytes], headers: Mapping[str, str]) -> Answer:
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        connection.putrequest("POST", self._target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        # A server may refuse a body before it has all of it; its answer is worth more than the broken pipe.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in body:
                connection.send(piece)
        response = connection.getresponse()
        text = response.read(self._most_answer_bytes)
        if response.will_close or not response.isclosed():
            self.close()  # the server wants it so, or its answer is endless
        return Answer(response.status, response.headers.get("Retry-After"), text)

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.auto_open = 0
        connection.sock = self._dial.connect()
        return connection

    def abort(self) -> None:
        """For the end: wake the thread that waits in `send`; it raises Unreachable, and so do all later calls."""
        self._dial.abort()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
