"""A TCP proxy that harms what goes through it: for either leg, between the app and the ambassador or behind it."""

import asyncio
import contextlib
import socket
import struct

TCP_REPAIR = 19  # of linux/tcp.h; a socket that is closed while it is set is forgotten without a word


class FaultyProxy:
    """Stands at `port` in front of `address`. The faults may be changed while it runs; they hold for new bytes.

    `slice_bytes`: pieces of that size, each sent alone. `latency_s`: before each piece. `reset_after`: bytes of the
    answer after which both sides are reset. `blackhole`: connections are accepted, and nothing is ever passed on.
    `vanish` leaves both sides with half-open connections.
    """

    def __init__(self, address: str) -> None:
        self._to = _host_and_port(address)
        self.slice_bytes = 0
        self.latency_s = 0.0
        self.reset_after: int | None = None
        self.blackhole = False
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def lead_to(self, address: str) -> None:
        """New connections go there."""
        self._to = _host_and_port(address)

    def vanish(self) -> None:
        """Be gone as after a power cut: no end-of-file and no reset is sent. PermissionError where that needs root."""
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            writer.transport.abort()

    @property
    def port(self) -> int:
        assert self._server
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> "FaultyProxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self._writers.add(writer)
        try:
            if self.blackhole:
                await asyncio.Event().wait()
            there = await asyncio.open_connection(*self._to)
            self._writers.add(there[1])
            try:
                await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer, answer=True))
            finally:
                self._writers.discard(there[1])
                _reset(there[1])
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            _reset(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answer: bool = False) -> None:
        passed = 0
        while block := await reader.read(65536):
            size = self.slice_bytes or len(block)
            for at in range(0, len(block), size):
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                if self.blackhole:
                    await asyncio.Event().wait()
                piece = block[at : at + size]
                if answer and self.reset_after is not None and passed + len(piece) > self.reset_after:
                    writer.write(piece[: max(0, self.reset_after - passed)])
                    await writer.drain()
                    raise ConnectionResetError
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
                passed += len(piece)
        with contextlib.suppress(OSError):
            writer.write_eof()


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def _reset(writer: asyncio.StreamWriter) -> None:
    if (sock := writer.get_extra_info("socket")) is not None and not writer.is_closing():
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    writer.transport.abort()
