"""TLS through memory BIOs against Python's own TLS server: sizes, slices, half-close, and an end without a goodbye."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.settings import TlsSettings
from ambassador_dbproxy.tls import Encryption
from chassis.settings import Address
from tests.ambassador_dbproxy.waiting import WAIT_S

Serve = Callable[[ssl.SSLSocket], None]


@pytest.fixture
async def opened(certificates: Any, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """`await opened(serve)`: an encrypted conversation with `serve`, which runs in a thread."""
    authority = certificates.Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server", "localhost"))
    threads: list[threading.Thread] = []
    conversations: list[Conversation] = []

    async def open_to(serve: Serve, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Conversation:
        context.maximum_version = version
        ours, theirs = socket.socketpair()
        for each in (ours, theirs):
            each.settimeout(WAIT_S)

        def run() -> None:
            with context.wrap_socket(theirs, server_side=True) as sock:
                serve(sock)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        ours.setblocking(False)
        _, conversation = await asyncio.get_running_loop().create_connection(Conversation, sock=ours)
        conversations.append(conversation)
        settings = TlsSettings(mode="verify-full", ca_file=authority.ca_file)
        await Encryption(settings, (), CapturingLogger()).protect(conversation, Address("localhost:5432"))
        return conversation

    yield open_to
    for conversation in conversations:
        conversation.abort()
    for thread in threads:
        await asyncio.to_thread(thread.join, WAIT_S)


async def receive_all(conversation: Conversation) -> bytes:
    received = bytearray()
    while True:
        try:
            received += await conversation.receive()
        except ConnectionEnded:
            return bytes(received)


def echo_until_end(sock: ssl.SSLSocket) -> None:
    received = bytearray()
    while block := sock.recv(65536):
        received += block
    sock.sendall(received)
    sock.unwrap()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [1, 16384, 16385, 1_000_000])
async def test_half_close_still_gets_the_answer(opened: Any, size: int, version: ssl.TLSVersion) -> None:
    conversation = await opened(echo_until_end, version)
    sent = bytes(i % 251 for i in range(size))
    conversation.send(sent)
    conversation.transport.write_eof()
    assert await receive_all(conversation) == sent
    assert conversation.eof


async def test_the_end_of_their_direction_leaves_ours_open(opened: Any) -> None:
    heard: list[bytes] = []
    ended, gone = threading.Event(), threading.Event()

    def speak_then_listen(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"hello")
        sock.settimeout(0)  # unwrap says goodbye, and would wait for ours
        with contextlib.suppress(ssl.SSLWantReadError):
            sock.unwrap()
        ended.set()
        sock.settimeout(WAIT_S)
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while block := sock.recv(100):
                heard.append(block)
        gone.set()

    conversation = await opened(speak_then_listen)
    assert await receive_all(conversation) == b"hello"
    assert not conversation.lost
    assert await asyncio.to_thread(ended.wait, WAIT_S)  # which takes what comes while it looks for ours as a mistake
    conversation.send(b"still here")
    conversation.close()
    assert await asyncio.to_thread(gone.wait, WAIT_S)
    assert b"".join(heard) == b"still here"


async def test_an_end_without_goodbye_is_a_loss_not_an_end(opened: Any) -> None:
    def hang_up(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"half of an ans")
        sock.shutdown(socket.SHUT_RDWR)

    conversation = await opened(hang_up)
    assert await receive_all(conversation) == b"half of an ans"
    assert conversation.lost
    assert not conversation.eof


async def test_broken_records_end_the_connection_with_a_reason(opened: Any) -> None:
    def corrupt(sock: ssl.SSLSocket) -> None:
        sock.recv(1)
        with socket.socket(fileno=sock.detach()) as raw:
            raw.sendall(b"\x17\x03\x03\x00\x20" + b"\0" * 32)
            raw.settimeout(WAIT_S)
            while raw.recv(100):
                pass

    conversation = await opened(corrupt)
    conversation.send(b"x")
    assert await receive_all(conversation) == b""
    assert isinstance(conversation.failure, ssl.SSLError)
