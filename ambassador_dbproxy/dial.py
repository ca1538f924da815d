"""Opening sockets: listening for the app, and connecting to a server under a time limit, with keepalive on both.

Names are resolved at every connect. Which server to connect to, and what a failure means, is decided by the callers.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ambassador_dbproxy.conversation import Conversation, Within
from chassis.settings import Address, OperatorError

BACKLOG = 1024
STAGGER_S = 0.25
"""Addresses of a name that have not answered for so long are no longer waited for alone (RFC 8305, chapter 5)."""
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 30, 10, 3
UNACKNOWLEDGED_MS = 60_000  # TCP_USER_TIMEOUT: as long as keepalive takes to give a silent peer up
_TUNED = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, option), value)
        for option, value in (
            ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
            ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
            ("TCP_KEEPCNT", KEEPALIVE_PROBES),
            ("TCP_USER_TIMEOUT", UNACKNOWLEDGED_MS),
        )
        if hasattr(socket, option)  # missing outside Linux; the kernel's defaults then hold
    ),
)


class Unreachable(Exception):
    """No server takes a connection now. The text names the server and the reason; trying again later may help."""


async def dial(host: Address, timeout_s: float) -> Conversation:
    """Connect to `host`; Unreachable when it refuses, does not resolve or does not answer in time."""
    loop = asyncio.get_running_loop()
    try:
        with Within(timeout_s):
            if host.path:
                _, conversation = await loop.create_unix_connection(Conversation, host.path)
            else:
                conversation = await _connect(host.host, host.port)
                _tune_connected(conversation)
    except TimeoutError as error:
        raise Unreachable(f"{host}: no answer within {timeout_s:g}s") from error
    except OSError as error:
        raise Unreachable(f"{host}: {error.strerror or error}") from error
    return conversation


def _tune_connected(conversation: Conversation) -> None:
    """`tune` it; OSError, and it is closed, when it was reset as soon as it was made."""
    sock = conversation.transport.get_extra_info("socket")
    descriptor = -1 if sock is None or conversation.lost else sock.fileno()
    if descriptor < 0:
        conversation.abort()
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    # What a transport gives as its socket makes a real one for each call. For these options any family will do.
    real = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, descriptor)
    try:
        tune(real)
    except OSError:
        conversation.abort()
        raise
    finally:
        real.detach()


async def _connect(name: str, port: int) -> Conversation:
    """Connected to one of the addresses of `name`; OSError."""
    loop = asyncio.get_running_loop()
    if not _is_address(name):
        found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        addresses = [_written(address) for *_, address in found]
        if len(addresses) > 1:
            return await _first_of(addresses, port)
        name = addresses[0]
    _, conversation = await loop.create_connection(Conversation, name, port)
    return conversation


async def _first_of(addresses: Sequence[str], port: int) -> Conversation:
    """Connected to the first that answers. The next one is tried after STAGGER_S, or as soon as one has failed."""
    loop = asyncio.get_running_loop()
    attempts: list[asyncio.Task[Conversation]] = []
    try:
        while True:
            if len(attempts) < len(addresses):
                attempts.append(loop.create_task(_connect(addresses[len(attempts)], port)))
            waiting = [each for each in attempts if not each.done()]
            if not waiting:
                return attempts[-1].result()  # which raises: all have failed
            patience_s = STAGGER_S if len(attempts) < len(addresses) else None
            done, _ = await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                if each.exception() is None:
                    attempts.remove(each)
                    return each.result()
    finally:
        for each in attempts:
            each.cancel()
            each.add_done_callback(_abandon)


def _abandon(attempt: asyncio.Task[Conversation]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().abort()


@lru_cache(maxsize=64)
def _is_address(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, name.partition("%")[0])
            return True
    return False


def peer_address(conversation: Conversation, host: Address) -> Address:
    """The very address that a connection to `host` reached, after name resolution."""
    if host.path:
        return host
    name = conversation.transport.get_extra_info("peername")
    if not name or (name[0] == host.host and name[1] == host.port):
        return host
    return Address.of(_written(name), name[1])


def _written(address: Sequence[Any]) -> str:
    """A socket address's host; a link-local one names its interface, without which it leads nowhere (RFC 4007)."""
    name = str(address[0])
    return f"{name}%{address[3]}" if len(address) > 3 and address[3] and "%" not in name else name


def bind(listen: Address, setting: str) -> socket.socket:
    """A listening socket; OperatorError naming `setting` when the address cannot be had."""
    try:
        return _bind_unix(Path(listen.path)) if listen.path else _bind_tcp(listen)
    except OSError as error:
        raise OperatorError(setting, f"cannot listen on {listen}: {error.strerror or error}") from error


def bound_address(sock: socket.socket, listen: Address) -> Address:
    """Where `sock` really listens, with the port that port 0 became."""
    return listen if listen.path else Address.of(listen.host, sock.getsockname()[1])


def unlink(listen: Address) -> None:
    """Remove the socket file of a listener that is closed."""
    with contextlib.suppress(OSError):
        Path(listen.path).unlink()


def tune(sock: socket.socket) -> None:
    """For TCP: keepalive, and a limit on unacknowledged data. Accepted sockets inherit both from the listening one."""
    for level, option, value in _TUNED:
        sock.setsockopt(level, option, value)


def _bind_tcp(listen: Address) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(
        listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tune(sock)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _bind_unix(path: Path) -> socket.socket:
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on any more, left by a process that was killed; nothing else."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
