"""A switch of the environment: idle sessions leave at once, busy ones when they are quiet, none is in both."""

import asyncio
import socket
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]


@pytest.fixture
def settings(make_server: Make, redis_settings: Make, target: Make) -> dict[str, Any]:
    servers = {name: make_server(name) for name in ("blue", "green")}
    for name, server in servers.items():
        with server.root() as root:
            root.set("environment", name)
    made: dict[str, Any] = redis_settings(**{name: target(server) for name, server in servers.items()})
    return made


def switch(through: Any, to: str) -> None:
    body = b'{"environment": "%s"}' % to.encode()
    with urllib.request.urlopen(f"http://{through.ops}/environment", body, timeout=WAIT_S) as answer:
        assert answer.status == 200


def connect(through: Any) -> socket.socket:
    return socket.create_connection(("127.0.0.1", through.port), WAIT_S)


def ask(sock: socket.socket, command: bytes, reply: bytes) -> None:
    sock.sendall(command + b"\r\n")
    got = b""
    while len(got) < len(reply):
        piece = sock.recv(len(reply) - len(got))
        assert piece, got
        got += piece
    assert got == reply


def wait_until_blocked(server: Any) -> None:
    with server.root() as root:
        until(lambda: root.info("clients")["blocked_clients"])


@pytest.mark.parametrize("protocol", [2, 3])
def test_an_idle_drivers_next_command_goes_to_the_new_environment(
    settings: dict[str, Any], ambassador: Make, status: Make, protocol: int
) -> None:
    through = ambassador(settings).ready()
    with redis.Redis(port=through.port, protocol=protocol, decode_responses=True, retry=None) as client:
        assert client.get("environment") == "blue"
        switch(through, "green")
        until(lambda: not status(through)["sessions"])
        assert client.get("environment") == "green"


def test_sessions_that_said_little_or_nothing_leave_too(
    settings: dict[str, Any], ambassador: Make, status: Make
) -> None:
    through = ambassador(settings).ready()
    with connect(through) as silent, connect(through) as logged_in, connect(through) as subscribed:
        ask(logged_in, b"AUTH x", b"+OK\r\n")
        ask(subscribed, b"SUBSCRIBE a", b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")
        until(lambda: status(through)["sessions"] == 3)
        switch(through, "green")
        assert [each.recv(100) for each in (silent, logged_in, subscribed)] == [b"", b"", b""]


def test_a_transaction_may_finish(settings: dict[str, Any], ambassador: Make) -> None:
    through = ambassador(settings).ready()
    with connect(through) as sock:
        ask(sock, b"MULTI", b"+OK\r\n")
        ask(sock, b"SET half done", b"+QUEUED\r\n")
        switch(through, "green")
        ask(sock, b"GET environment", b"+QUEUED\r\n")
        ask(sock, b"EXEC", b"*2\r\n+OK\r\n$4\r\nblue\r\n")
        assert sock.recv(100) == b""


def test_a_reply_that_is_due_may_come(settings: dict[str, Any], ambassador: Make, make_server: Make) -> None:
    through = ambassador(settings).ready()
    with connect(through) as sock:
        sock.sendall(b"BLPOP queue 1\r\n")
        wait_until_blocked(make_server("blue"))
        switch(through, "green")
        assert sock.recv(100) == b"*-1\r\n"
        assert sock.recv(100) == b""


def test_the_deadline_ends_what_is_never_quiet(settings: dict[str, Any], ambassador: Make, make_server: Make) -> None:
    through = ambassador({**settings, "switch": {"deadline": "300ms"}}).ready()
    with connect(through) as sock:
        sock.sendall(b"BLPOP queue 0\r\n")
        wait_until_blocked(make_server("blue"))
        switch(through, "green")
        assert sock.recv(100) == b""
    assert through.event("sessions_cut", sessions=1)


async def test_fifty_switches_under_load(settings: dict[str, Any], ambassador: Make) -> None:
    through = await asyncio.to_thread(ambassador(settings).ready)
    stop, served = asyncio.Event(), asyncio.Event()
    seen = {"blue": 0, "green": 0}
    environment = ""

    async def work() -> None:
        """One bare connection after another: each sees one environment for its whole life."""
        while not stop.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
            first = None
            try:
                while not stop.is_set():
                    writer.write(b"*2\r\n$3\r\nGET\r\n$11\r\nenvironment\r\n")
                    if not (head := await reader.readline()):
                        break
                    assert head[:1] == b"$", head
                    now = (await reader.readline()).strip().decode()
                    assert now == (first := first or now), "a session straddles two environments"
                    seen[now] += 1
                    if now == environment:
                        served.set()
            except ConnectionError:
                pass
            finally:
                writer.close()

    async def work_with_a_driver() -> None:
        async with redis.asyncio.Redis(port=through.port, decode_responses=True) as client:
            while not stop.is_set():
                seen[await client.get("environment")] += 1

    async with asyncio.timeout(2 * WAIT_S), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(work())
            group.create_task(work_with_a_driver())
        for turn in range(50):
            served.clear()
            environment = ("green", "blue")[turn % 2]
            await asyncio.to_thread(switch, through, environment)
            await served.wait()
        stop.set()
    assert "connection_refused" not in {each["event"] for each in through.events}
    assert "sessions_cut" not in {each["event"] for each in through.events}
