"""Outputs that are no file: standard output, a TCP or a unix socket. Records go out in order; who reads slowly is
waited for.

After a broken connection everything the peer's side had not taken is sent again, from the beginning of a record: a
plain socket knows no answers, so the kernel's count of bytes not yet taken over has to stand in for one.

Blocking calls.
"""

import fcntl
import os
import select
import socket
import stat
import struct
import time
from collections.abc import Sequence
from typing import Final, Protocol

from adapter_logformat.endpoint import Endpoint
from chassis.errors import OperatorError

STDOUT: Final = 1
PATIENCE_S: Final = 2.0
"""A call that gets nothing out for so long fails, so that somebody can tell of it; it goes on where it was."""
WINDOW_BYTES: Final = 1 << 20
"""So much may be on its way without having been taken over."""
LOOK_S: Final = 0.005
_SIOCOUTQ: Final = 0x5411
"""Linux: bytes not yet acknowledged (TCP), or not yet read by the peer (unix)."""


class Outlet(Protocol):
    """What an output that is no file can do; `sync` returns when nothing is on its way any more."""

    errors: int

    def open(self) -> None: ...
    def append(self, records: Sequence[bytes]) -> None: ...
    def resume(self) -> None: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...


def outlet(endpoint: Endpoint) -> Outlet:
    """The output at `endpoint`, not yet opened."""
    return Stdout() if endpoint.scheme == "stdout" else Socket(endpoint)


class Stdout:
    """Records to standard output; a reader that is gone counts as a full one."""

    def __init__(self, descriptor: int = STDOUT) -> None:
        self.errors = 0
        self._descriptor = descriptor
        self._rest = memoryview(b"")

    def open(self) -> None:
        try:
            os.fstat(self._descriptor)
        except OSError as error:
            raise OperatorError("output.to", f"standard output is closed: {error.strerror}") from error

    def append(self, records: Sequence[bytes]) -> None:
        """Writes all of `records`, or raises OSError with the rest kept for `resume`."""
        self._rest = memoryview(b"".join(records))
        self.resume()

    def resume(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        # A pipe that is said to be writable takes PIPE_BUF without waiting: no full pipe may hold the thread for ever.
        step = select.PIPE_BUF if stat.S_ISFIFO(os.fstat(self._descriptor).st_mode) else len(self._rest)
        try:
            while self._rest:
                if not poll.poll(PATIENCE_S * 1000):
                    raise TimeoutError(None, "nobody reads standard output")
                self._rest = self._rest[os.write(self._descriptor, self._rest[:step]) :]
        except OSError:
            self.errors += 1
            raise

    def sync(self) -> None:
        """What was written is out."""

    def close(self) -> None:
        """Standard output stays open; it is not ours alone."""


class Socket:
    """Records to one peer, connected when there is something to write."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.errors = 0
        self.connections = 0
        self._endpoint = endpoint
        self._socket: socket.socket | None = None
        self._untaken = bytearray()
        self._sent = 0

    def open(self) -> None:
        """Nothing: a peer that is not there yet is waited for when records come."""

    def append(self, records: Sequence[bytes]) -> None:
        self._untaken += b"".join(records)
        self.resume()

    def resume(self) -> None:
        """Sends what is not sent; OSError when that does not go on, and then it may be called again."""
        try:
            connection = self._connected()
            while self._sent < len(self._untaken):
                with memoryview(self._untaken) as whole:
                    self._sent += connection.send(whole[self._sent : self._sent + WINDOW_BYTES])
            if len(self._untaken) > WINDOW_BYTES:
                self._drain(connection)
        except TimeoutError as error:
            self.errors += 1
            raise TimeoutError(None, "the peer takes nothing") from error
        except OSError:
            self.errors += 1
            self.close()
            raise

    def sync(self) -> None:
        """Everything was taken over by the peer's side."""
        if self._untaken:
            self.resume()
            try:
                self._drain(self._connected())
            except TimeoutError:
                raise
            except OSError:
                self.close()
                raise

    def _drain(self, connection: socket.socket) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while _on_its_way(connection):
            if time.monotonic() > deadline:
                raise TimeoutError(None, "the peer takes nothing")
            time.sleep(LOOK_S)
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        self._untaken.clear()
        self._sent = 0

    def _connected(self) -> socket.socket:
        if self._socket is not None and _hung_up(self._socket):
            self.close()
        if self._socket is None:
            made = _connect(self._endpoint)
            made.settimeout(PATIENCE_S)
            self._socket = made
            self._sent = 0
            self.connections += 1
        return self._socket

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._sent = 0


def _connect(endpoint: Endpoint) -> socket.socket:
    if endpoint.scheme == "tcp":
        return socket.create_connection((endpoint.host, endpoint.port), PATIENCE_S)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(PATIENCE_S)
    try:
        made.connect(endpoint.path)
    except BaseException:
        made.close()
        raise
    return made


def _hung_up(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


def _on_its_way(connection: socket.socket) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(connection, _SIOCOUTQ, b"\0\0\0\0"))
    return int(count)
