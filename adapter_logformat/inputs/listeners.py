"""The descriptors of inputs that are no followed file: bound, accepted, read into the intake, and closed.

How bytes become messages `framing` says; what waits, and who has to wait, `intake`.
"""

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from adapter_logformat.endpoint import Endpoint
from adapter_logformat.inputs.framing import Framing, Piece, datagram
from adapter_logformat.inputs.intake import Intake, Parcel
from chassis.errors import OperatorError

READ_BYTES: Final = 64 * 1024
DATAGRAM_BYTES: Final = 256 * 1024
DATAGRAMS_A_TURN: Final = 128
RECEIVE_BUFFER: Final = 4 << 20
"""Asked of the kernel for datagrams; it gives what `net.core.rmem_max` allows."""
BACKLOG: Final = 128
OPEN_TO_ALL: Final = 0o666
"""Sockets and FIFOs on a shared volume: the app's user is another one, and only the pod sees the volume."""


@dataclass(slots=True)
class Received:
    """Counts of one input."""

    bytes: int = 0
    datagrams: int = 0
    connections: int = 0
    open_connections: int = 0
    broken_frames: int = 0


class Listener:
    """One input: open from `open` to `close`. `where`: its real address, with the port the kernel chose."""

    def __init__(
        self, listen: str, endpoint: Endpoint, intake: Intake, longest: int, ended: Callable[[], None]
    ) -> None:
        """`longest`: bytes of a counted message. `ended` is called when standard input is at its end."""
        self.listen = listen
        self.where = listen
        self.received = Received()
        self._endpoint = endpoint
        self._intake = intake
        self._longest = longest
        self._ended = ended
        self._socket: socket.socket | None = None
        self._descriptor = -1
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._buffer = bytearray()

    async def open(self, setting: str) -> None:
        """OperatorError naming `setting` where it cannot be had."""
        scheme = self._endpoint.scheme
        try:
            if scheme in ("tcp", "unix"):
                self._socket = self._bound(socket.SOCK_STREAM)
                self._server = await asyncio.start_server(self._serve, sock=self._socket, backlog=BACKLOG)
            elif scheme in ("udp", "unixgram"):
                self._socket = self._bound(socket.SOCK_DGRAM)
                self._buffer = bytearray(DATAGRAM_BYTES)
                self._listen_to(self._socket.fileno(), self._datagrams)
            elif scheme == "fifo":
                self._open_fifo(self._endpoint.path)
                self._listen_to(self._descriptor, self._bytes)
            else:
                self._descriptor = os.dup(0)
                self._open_stdin()
        except OSError as error:
            await self.close()
            reason = error.strerror or str(error)
            raise OperatorError(setting, f"cannot listen on {self.listen}: {reason}") from error

    # -- opening -----------------------------------------------------------------------------------------------------

    def _bound(self, kind: socket.SocketKind) -> socket.socket:
        endpoint = self._endpoint
        if endpoint.path:
            made = socket.socket(socket.AF_UNIX, kind)
            address: Any = endpoint.path
            _remove_stale(endpoint.path, kind)
        else:
            family, _, _, _, address = socket.getaddrinfo(endpoint.host, endpoint.port, type=kind)[0]
            made = socket.socket(family, kind)
        try:
            if kind == socket.SOCK_STREAM and not endpoint.path:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if kind == socket.SOCK_DGRAM:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            made.bind(address)
            made.setblocking(False)
        except BaseException:
            made.close()
            raise
        if endpoint.path:
            os.chmod(endpoint.path, OPEN_TO_ALL)
        else:
            self.where = str(Endpoint(endpoint.scheme, endpoint.host, made.getsockname()[1]))
        return made

    def _open_fifo(self, path: str) -> None:
        if not os.path.lexists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.mkfifo(path)
            os.chmod(path, OPEN_TO_ALL)
        if not stat.S_ISFIFO(os.stat(path).st_mode):
            raise OSError(errno.EEXIST, "something else has this name")
        # Also for writing, so that it does not end whenever the last writer goes.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def _open_stdin(self) -> None:
        try:
            self._listen_to(self._descriptor, self._bytes)
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
            self._start(self._read_file())  # a plain file is always ready, so nothing can wait for it

    # -- reading -----------------------------------------------------------------------------------------------------

    def _listen_to(self, descriptor: int, ready: Callable[[int], None]) -> None:
        asyncio.get_running_loop().add_reader(descriptor, ready, descriptor)

    def _pause(self, descriptor: int, ready: Callable[[int], None]) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)

        async def resume() -> None:
            await self._intake.room()
            if self._socket is not None or self._descriptor >= 0:
                self._listen_to(descriptor, ready)

        self._start(resume())

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work, name=self.listen)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _datagrams(self, descriptor: int) -> None:
        view = memoryview(self._buffer)
        for _ in range(DATAGRAMS_A_TURN):
            if self._socket is None:
                return
            if not self._intake.has_room:
                self._pause(descriptor, self._datagrams)
                return
            try:
                size = self._socket.recv_into(view)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an ICMP answer to something sent from this port: no data is concerned
            self.received.datagrams += 1
            self.received.bytes += size
            if size:
                self._put(self.listen, datagram(bytes(view[:size])))

    def _bytes(self, descriptor: int) -> None:
        if not self._intake.has_room:
            self._pause(descriptor, self._bytes)
            return
        try:
            read = os.read(descriptor, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        self.received.bytes += len(read)
        if read:
            self._put(self.listen, Piece(read))
        else:
            asyncio.get_running_loop().remove_reader(descriptor)
            self._intake.put(Parcel(self.listen, self.listen, b"", last=True))
            self._ended()

    async def _read_file(self) -> None:
        loop = asyncio.get_running_loop()
        while read := await loop.run_in_executor(None, os.read, self._descriptor, READ_BYTES):
            self.received.bytes += len(read)
            self._put(self.listen, Piece(read))
            await self._intake.room()
        self._intake.put(Parcel(self.listen, self.listen, b"", last=True))
        self._ended()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.received.connections += 1
        self.received.open_connections += 1
        sender = f"{self.listen}#{self.received.connections}"
        framing = Framing(self._longest)
        try:
            while True:
                await self._intake.room()
                read = await reader.read(READ_BYTES)
                if not read:
                    break
                self.received.bytes += len(read)
                for piece in framing.feed(read):
                    self._put(sender, piece)
        except OSError:
            pass  # the sender broke off; what came is kept
        finally:
            for piece in framing.end():
                self._put(sender, piece)
            self._intake.put(Parcel(self.listen, sender, b"", last=True))
            self.received.broken_frames += framing.broken
            self.received.open_connections -= 1
            self._tasks.discard(task)
            writer.close()

    def _put(self, sender: str, piece: Piece) -> None:
        self._intake.put(Parcel(self.listen, sender, piece.data, piece.message))

    # -- counting and closing ------------------------------------------------------------------------------------------

    def dropped(self) -> int:
        """Datagrams the kernel had to drop because this process was not reading (UDP only)."""
        if self._endpoint.scheme != "udp" or self._socket is None:
            return 0
        inode = str(os.fstat(self._socket.fileno()).st_ino)
        table = "/proc/net/udp6" if self._socket.family == socket.AF_INET6 else "/proc/net/udp"
        with contextlib.suppress(OSError), open(table, encoding="ascii") as file:
            for line in file:
                fields = line.split()
                if len(fields) > 12 and fields[9] == inode:
                    return int(fields[12])
        return 0

    async def close(self) -> None:
        """Lets everything go. Safe after a failed `open`, and twice."""
        loop = asyncio.get_running_loop()
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._socket is not None:
            if self._endpoint.scheme in ("udp", "unixgram"):
                loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            if self._endpoint.path:
                with contextlib.suppress(OSError):
                    os.unlink(self._endpoint.path)
        if self._descriptor >= 0:
            loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


def _remove_stale(path: str, kind: socket.SocketKind) -> None:
    """A socket that a killed process left behind; one that somebody still listens on, or no socket, stays."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise OSError(errno.EEXIST, "something else has this name")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, kind) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        else:
            raise OSError(errno.EADDRINUSE, "another process listens there")
