"""The border to the network for sinks: one connection over TCP or TLS at a time, whose every wait can be ended.

What is said over the connection is left to `http` and `syslog`.
"""

import contextlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from chassis.errors import OperatorError
from chassis.tls import client_context
from sidecar_logshipper.sinks.reply import BadReply
from sidecar_logshipper.sinks.seam import Unreachable
from sidecar_logshipper.sinks.settings import TlsSettings

if TYPE_CHECKING:
    import ssl


TLS_FILES = ("ca_file", "cert_file", "key_file")


class Dial:
    """Connects to one address. `connect` is called by one thread at a time, `abort` from anywhere."""

    def __init__(self, host: str, port: int, *, tls: TlsSettings | None, timeout: float) -> None:
        """`tls`: None for plain TCP. `timeout` in seconds holds for connecting and stays on the socket."""
        self.peer = f"{host}:{port}"
        self._host = host
        self._port = port
        self._tls = tls
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self.aborted = False

    def connect(self) -> socket.socket:
        """A connected socket, after the handshake where there is one; Unreachable when there is none."""
        try:
            plain = self._dial()
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return plain if self._tls is None else self._secure(plain, self._tls)
            except BaseException:
                plain.close()
                raise
        except OSError as error:
            raise self.unreachable(error) from error

    def _dial(self) -> socket.socket:
        """As socket.create_connection, but each attempt can be aborted."""
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM):
            plain = self._socket = socket.socket(family, kind, protocol)
            try:
                if self.aborted:
                    raise ConnectionAbortedError
                plain.settimeout(self._timeout)
                plain.connect(address)
            except OSError as error:
                plain.close()
                failure = error
            else:
                return plain
        raise failure or socket.gaierror("no address")

    def _secure(self, plain: socket.socket, tls: TlsSettings) -> socket.socket:
        # A new context for each connection, so that renewed certificates are used without a restart.
        secured = tls_context(tls).wrap_socket(
            plain, server_hostname=tls.server_name or self._host, do_handshake_on_connect=False
        )
        self._socket = secured
        try:
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured

    def abort(self) -> None:
        """Wake whoever waits for this connection, and refuse all later ones."""
        self.aborted = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def unreachable(self, error: Exception) -> Unreachable:
        """The failure in our words: a short stable one, and the peer with what the system says of it."""
        says = (
            getattr(error, "verify_message", None) or getattr(error, "reason", None) or getattr(error, "strerror", None)
        )
        return Unreachable(_word(error), f"{self.peer}: {says or error or type(error).__name__}")


def tls_context(settings: TlsSettings) -> "ssl.SSLContext":
    """A client's context; OSError (ssl.SSLError included) when a file cannot be used."""
    for path in (settings.ca_file, settings.cert_file, settings.key_file):
        if path is not None and not path.is_file():
            raise FileNotFoundError(2, f"no such file: {path}")
    return client_context(ca_file=settings.ca_file, cert_file=settings.cert_file, key_file=settings.key_file)


def check_tls(settings: TlsSettings) -> None:
    """OperatorError when a file that TLS needs cannot be used now."""
    for name in TLS_FILES:
        path: Path | None = getattr(settings, name)
        if path is not None and (why := _unreadable(path)):
            raise OperatorError(f"sink.tls.{name}", f"cannot read {path}: {why}")
    try:
        tls_context(settings)
    except OSError as error:
        named = ", ".join(f"{each} {getattr(settings, each)}" for each in TLS_FILES if getattr(settings, each))
        raise OperatorError("sink.tls", f"cannot use {named}: {error}") from error


def _unreadable(path: Path) -> str:
    """Why `path` is no file that can be read; empty where it is."""
    try:
        if path.exists() and not path.is_file():
            return "no regular file"  # a FIFO would be waited for
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _word(error: Exception) -> str:
    """A short stable word for logs and metrics; never the address or the payload."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "connection_refused"
    if isinstance(error, socket.gaierror):
        return "name_not_resolved"
    if type(error).__module__ == "ssl":
        return "tls_failed"
    if isinstance(error, FileNotFoundError):
        return "tls_file_missing"
    if isinstance(error, ConnectionError):
        return "connection_lost"
    return "bad_answer" if isinstance(error, BadReply) else "network_error"
