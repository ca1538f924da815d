"""The border to an HTTP server: one kept-alive connection a lane, blocking, used from a worker thread.

http.client on a thread, because it carries a large body with less CPU than an event loop's client does: two system
calls and no copy. What an answer means is left to `verdict`, trying again to `delivery`.
"""

import base64
import contextlib
import http.client
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chassis.errors import OperatorError
from chassis.secret import SecretUnreadable, read_secret
from sidecar_logshipper.settings import AuthSettings, HttpSinkSettings, TlsSettings

if TYPE_CHECKING:
    import ssl

MOST_ANSWER_BYTES = 64 * 1024
MOST_ANSWER_TEXT = 500


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    retry_after: str | None
    text: str
    """The beginning of the body, as a reason for people to read."""


class Unreachable(Exception):
    """No answer came. The text is a short stable word."""


class HttpLane:
    """One connection; `send` is called by one thread at a time, `abort` and `close` from anywhere."""

    def __init__(self, settings: HttpSinkSettings, content_type: str) -> None:
        parts = urlsplit(settings.url)
        self._host = parts.hostname or ""
        self._https = parts.scheme == "https"
        self._port = parts.port or (443 if self._https else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout = settings.timeout
        self._tls = settings.tls
        self._auth = settings.auth
        self._headers = {"Host": parts.netloc, "User-Agent": "podmates-logshipper", "Content-Type": content_type}
        if settings.compression != "none":
            self._headers["Content-Encoding"] = settings.compression
        self._headers |= settings.headers
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._aborted = False

    def send(self, body: Sequence[bytes]) -> Answer:
        """POST the body's pieces one after the other. Unreachable without an answer, SecretUnreadable without
        credentials. A kept connection that the server has closed meanwhile is replaced once, silently."""
        headers = self._headers | credentials(self._auth)
        headers["Content-Length"] = str(sum(map(len, body)))
        kept = self._connection is not None
        try:
            return self._exchange(body, headers)
        except (ConnectionError, http.client.RemoteDisconnected) as error:
            self.close()
            if not kept or self._aborted:
                raise Unreachable(_word(error)) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(_word(error)) from error
        try:
            return self._exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(_word(error)) from error

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
        text = response.read(MOST_ANSWER_BYTES)
        if response.will_close or not response.isclosed():
            self.close()  # the server wants it so, or its answer is endless
        shown = text[:MOST_ANSWER_TEXT].decode("utf-8", "replace")
        return Answer(response.status, response.headers.get("Retry-After"), shown)

    def _connect(self) -> http.client.HTTPConnection:
        plain = self._dial()
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self._secure(plain) if self._https else plain
        except BaseException:
            plain.close()
            raise
        self._socket = secured
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.auto_open = 0
        connection.sock = secured
        return connection

    def _dial(self) -> socket.socket:
        """As socket.create_connection, but each attempt can be aborted."""
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM):
            plain = self._socket = socket.socket(family, kind, protocol)
            try:
                if self._aborted:
                    raise ConnectionAbortedError
                plain.settimeout(self._timeout)
                plain.connect(address)
            except OSError as error:
                plain.close()
                failure = error
            else:
                return plain
        raise failure or socket.gaierror("no address")

    def _secure(self, plain: socket.socket) -> socket.socket:
        # A new context for each connection, so that renewed certificates are used without a restart.
        return tls_context(self._tls).wrap_socket(plain, server_hostname=self._tls.server_name or self._host)

    def abort(self) -> None:
        """For the end: wake the thread that waits in `send`; it raises Unreachable, and so do all later calls."""
        self._aborted = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def tls_context(settings: TlsSettings) -> "ssl.SSLContext":
    """A client's context; OSError (ssl.SSLError included) when a file cannot be used."""
    # Imported here: a shipper that speaks plain HTTP inside the cluster does not need it.
    import ssl

    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def check(settings: HttpSinkSettings) -> None:
    """OperatorError when a file that the sink needs cannot be used now."""
    if settings.url.startswith("https:"):
        for name in ("ca_file", "cert_file", "key_file"):
            path: Path | None = getattr(settings.tls, name)
            if path is not None and not path.is_file():
                raise OperatorError(f"sink.tls.{name}", f"cannot read {path}")
        try:
            tls_context(settings.tls)
        except OSError as error:
            raise OperatorError("sink.tls", f"cannot use these files: {error}") from error


def credentials(auth: AuthSettings) -> dict[str, str]:
    """The Authorization header, its secret read anew; SecretUnreadable when the file cannot be used."""
    if auth.bearer_token_file is not None:
        token = read_secret(auth.bearer_token_file).strip()
        if not token.isascii() or not token.isprintable():
            raise SecretUnreadable(auth.bearer_token_file, "a bearer token is one line of ASCII")
        return {"Authorization": f"Bearer {token}"}
    if auth.basic is not None:
        pair = f"{auth.basic.username}:{read_secret(auth.basic.password_file)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _word(error: Exception) -> str:
    """A short stable word for logs and metrics; never the address or the payload."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "connection_refused"
    if isinstance(error, socket.gaierror):
        return "name_not_resolved"
    if isinstance(error, ConnectionError | http.client.RemoteDisconnected):
        return "connection_lost"
    if type(error).__module__ == "ssl":
        return "tls_failed"
    return "bad_answer" if isinstance(error, http.client.HTTPException) else "network_error"
