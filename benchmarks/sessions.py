"""Both ends of many database sessions, a process of its own: a PostgreSQL server of a few lines, and its clients.

It says the server's port, then obeys its input: `open PORT COUNT` opens sessions through that port until there are so
many, `ask PORT COUNT IN_FLIGHT` sends so many queries over them in turn, `close PORT` ends them. Each is answered by
one line with the number of sessions or of right answers.
"""

import asyncio
import ssl
import struct
import sys
from collections import deque
from typing import Any

import uvloop

SSL_REQUEST = struct.pack(">II", 8, 80877103)
_PARAMETERS = b"user\0app\0database\0bench\0\0"
STARTUP = struct.pack(">II", 8 + len(_PARAMETERS), 196608) + _PARAMETERS
READY = b"Z\0\0\0\5I"
# AuthenticationOk, a version, BackendKeyData, ReadyForQuery.
_VERSION = b"server_version\x0015.0\0"
GREETING = (
    b"R" + struct.pack(">II", 8, 0) + b"S" + struct.pack(">I", 4 + len(_VERSION)) + _VERSION + b"K\0\0\0\x0c%s" + READY
)
QUERY = b"Q\0\0\0\x0dSELECT 1\0"
ANSWER = b"C\0\0\0\x0dSELECT 1\0" + READY
AT_ONCE = 32
"""Sessions that are opened at the same time."""


class Server(asyncio.Protocol):
    """Lets everybody in, over TLS if there is a context, and gives every query the same answer."""

    count = 0

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._early: bytes | None = None  # what came before `start_tls` has returned the transport to answer on

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early += data
        elif data == SSL_REQUEST:
            self._transport.pause_reading()  # the handshake is for `start_tls`
            self._transport.write(b"S" if self._context else b"N")
            if self._context:
                self._early = b""
                self._upgrading = asyncio.ensure_future(self._upgrade(self._context))
            else:
                self._transport.resume_reading()
        elif data[:1] == b"Q":
            self._transport.write(ANSWER)
        elif data[:1] != b"X":
            Server.count += 1
            self._transport.write(GREETING % struct.pack(">II", Server.count, 0))

    async def _upgrade(self, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        self._transport = await loop.start_tls(self._transport, self, context, server_side=True)
        early, self._early = self._early, None
        if early:
            self.data_received(early)


class Client(asyncio.Protocol):
    """One session: ready when it may ask, then one query at a time."""

    def __init__(self) -> None:
        self._seen = b""
        self._waiting: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if self._seen.endswith(READY) and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._seen)

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionResetError("the session was closed"))

    async def say(self, message: bytes) -> bytes:
        """What came back, up to ReadyForQuery."""
        self._seen = b""
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        return await self._waiting

    def close(self) -> None:
        self._transport.close()


async def open_sessions(sessions: deque[Client], port: int, count: int) -> int:
    loop = asyncio.get_running_loop()

    async def one() -> Client:
        _, client = await loop.create_connection(Client, "127.0.0.1", port)
        await client.say(STARTUP)
        return client

    while len(sessions) < count:
        sessions.extend(await asyncio.gather(*(one() for _ in range(min(AT_ONCE, count - len(sessions))))))
    return len(sessions)


async def ask(sessions: deque[Client], count: int, in_flight: int) -> int:
    """How many of `count` queries got the right answer, asked over all sessions in turn."""
    left, right = count, 0

    async def worker() -> None:
        nonlocal left, right
        while left > 0:
            left -= 1
            client = sessions.popleft()
            answer = await client.say(QUERY)
            right += answer == ANSWER
            sessions.append(client)

    await asyncio.gather(*(worker() for _ in range(min(in_flight, len(sessions)))))
    return right


async def serve(certificate: str) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(context), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    through: dict[int, deque[Client]] = {}
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        what, *numbers = line.split()
        port, *rest = map(int, numbers)
        sessions = through.setdefault(port, deque())
        if what == "open":
            print(await open_sessions(sessions, port, rest[0]), flush=True)
        elif what == "ask":
            print(await ask(sessions, rest[0], rest[1]), flush=True)
        else:
            for client in through.pop(port):
                client.close()
            print(0, flush=True)


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1] if len(sys.argv) > 1 else ""))
