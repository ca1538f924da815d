"""Redis while it is down, loading or unwilling: what is held, what is refused, and in which words."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.exceptions import BusyLoadingError

from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]


@pytest.fixture
def other(make_server: Make) -> Any:
    """A server that tests stop and start."""
    return make_server("restarted")


def client(through: Any, **options: Any) -> Any:
    return redis.Redis(port=through.port, retry=None, socket_timeout=WAIT_S, decode_responses=True, **options)


def said_to(through: Any) -> bytes:
    """All that a bare connection hears."""
    with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
        said = b""
        while piece := sock.recv(65536):
            said += piece
        return said


def get(through: Any, got: list[Any], key: str = "environment") -> None:
    with client(through) as one:
        got.append(one.get(key))


def test_connections_are_held_until_the_server_is_up(
    other: Any, ambassador: Make, redis_settings: Make, target: Make, status: Make
) -> None:
    through = ambassador(redis_settings(limits={"hold": "10m"}, dev=target(other))).ready()
    got: list[Any] = []
    get(through, got)
    other.stop()
    held = [threading.Thread(target=get, args=(through, got)) for _ in range(20)]
    for each in held:
        each.start()
    until(lambda: status(through)["waiting"] == 20)
    other.start()
    with other.root() as root:
        root.set("environment", "restarted")
    for each in held:
        each.join(WAIT_S)
    assert got[0] == "restarted"
    assert len(got) == 21
    events = [each["event"] for each in through.events]
    assert "connection_refused" not in events
    assert events.count("target_down") == 1


def test_a_server_that_is_loading_is_not_up_yet(
    make_server: Make, ambassador: Make, redis_settings: Make, target: Make, status: Make
) -> None:
    server = make_server("loading")
    with server.root() as root:
        with root.pipeline(transaction=False) as many:
            for n in range(20_000):  # of 5 ms each: all the test may take
                many.set(f"k{n}", n)
            many.execute()
        root.save()
    server.stop()
    server.start(**{"key-load-delay": "5000", "loading-process-events-interval-bytes": "1024"})
    through = ambassador(redis_settings(limits={"hold": "10m"}, dev=target(server))).ready()
    assert "LOADING" in through.event("target_down")["reason"]
    got: list[Any] = []
    held = threading.Thread(target=get, args=(through, got, "k19999"))
    held.start()
    until(lambda: status(through)["waiting"] == 1)
    with server.root() as root:
        root.config_set("key-load-delay", 0)
    held.join(WAIT_S)
    assert got == ["19999"]


def test_past_the_bounds_redis_own_errors(
    ambassador: Make, redis_settings: Make, target: Make, server: Any, status: Make
) -> None:
    nowhere = {**target(server), "hosts": ["127.0.0.1:1"]}
    through = ambassador(redis_settings(limits={"hold": "5s", "waiting": 1}, dev=nowhere)).ready()
    through.event("target_down")
    first: list[bytes] = []
    held = threading.Thread(target=lambda: first.append(said_to(through)))
    held.start()
    until(lambda: status(through)["waiting"] == 1)
    assert said_to(through).startswith(b"-LOADING cache/dev is down and 1 connections wait for it")
    held.join(WAIT_S)
    assert first[0].startswith(b"-LOADING cache/dev is down, waited 5s: 127.0.0.1:1: ")
    with client(through) as one, pytest.raises(BusyLoadingError, match="cache/dev is down"):
        one.ping()
    assert through.event("connection_refused", kind="hold")
    assert through.event("connection_refused", kind="waiting")


def test_too_many_sessions(ambassador: Make, redis_settings: Make, target: Make, server: Any) -> None:
    through = ambassador(redis_settings(limits={"connections": 1}, dev=target(server))).ready()
    with client(through) as first:
        first.ping()
        assert said_to(through) == b"-ERR max number of clients reached\r\n"
        with client(through) as second, pytest.raises(redis.ConnectionError, match="max number of clients"):
            second.ping()
        assert first.ping()


def test_a_wrong_password_is_the_servers_verdict_and_one_event(
    ambassador: Make, redis_settings: Make, target: Make, server: Any, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-it-at-all")
    through = ambassador(redis_settings(dev=target(server, password_file=str(wrong)))).ready()
    through.event("target_faulty")
    text = b"-WRONGPASS cache/dev: the server refused the login of the database ambassador as user app: invalid "
    assert said_to(through).startswith(text)
    with client(through, password="apps") as one, pytest.raises(redis.AuthenticationError, match="ambassador"):
        one.ping()
    assert len([each for each in through.events if each["event"] == "target_faulty"]) == 1
    wrong.write_text(server.password_file.read_text())
    with client(through) as one:
        assert one.acl_whoami() == "app"
    assert "not-it-at-all" not in through.raw
    assert server.password_file.read_text().strip() not in through.raw + through.command("status").stdout


def test_a_database_that_is_not_there(ambassador: Make, redis_settings: Make, target: Make, server: Any) -> None:
    through = ambassador(redis_settings(dev=target(server, database="999"))).ready()
    assert b"-ERR the database ambassador could not log in to cache/dev: " in said_to(through)
    assert through.event("connection_refused", kind="login")


@pytest.mark.parametrize("soft", [True, False])
async def test_rotated_passwords_under_load_fail_no_login(
    soft: bool, ambassador: Make, redis_settings: Make, target: Make, make_server: Make, tmp_path: Path
) -> None:
    """As a mounted Secret changes: a symlink is swapped. Softly: for a while the server takes both passwords."""
    server = make_server("softly" if soft else "hard")
    link = tmp_path / "password"
    (tmp_path / "first").write_text(server.password_file.read_text())
    link.symlink_to("first")
    through = await asyncio.to_thread(ambassador(redis_settings(dev=target(server, password_file=str(link)))).ready)
    await asyncio.to_thread(through.event, "target_up")  # the first password is known to be good
    stop, logins = asyncio.Event(), 0
    one_more = asyncio.Condition()

    async def log_in(protocol: int) -> None:
        nonlocal logins
        while not stop.is_set():
            async with redis.asyncio.Redis(port=through.port, protocol=protocol, password="x", retry=None) as one:
                assert await one.acl_whoami() in (b"app", "app")
            async with one_more:
                logins += 1
                one_more.notify_all()

    async def rotate() -> None:
        async with redis.asyncio.Redis(port=server.port, password="the-default-user's") as root:
            old = server.password_file.read_text().strip()
            for turn in range(1, 31):
                new = f"password-{turn}"
                (tmp_path / new).write_text(new)
                (tmp_path / "swapped").symlink_to(new)
                if soft:
                    await root.execute_command("ACL", "SETUSER", "app", f">{new}")
                (tmp_path / "swapped").replace(link)
                await root.execute_command(
                    "ACL", "SETUSER", "app", *((f"<{old}",) if soft else ("resetpass", f">{new}"))
                )
                old, seen = new, logins
                async with one_more:
                    await one_more.wait_for(lambda seen=seen: logins >= seen + 8)
        stop.set()

    async with asyncio.timeout(2 * WAIT_S), asyncio.TaskGroup() as group:
        for protocol in (2, 3, 2, 3):
            group.create_task(log_in(protocol))
        group.create_task(rotate())
    assert logins >= 200
    assert "connection_refused" not in {each["event"] for each in through.events}
    server.stop()


@contextlib.contextmanager
def scripted(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that does `answer` with every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def drop_by_drop(connection: socket.socket) -> None:
    """AUTH, ROLE, PING, and then HELLO and SELECT of the app: every reply in pieces of one byte."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    replies = [b"+OK\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n+PONG\r\n", b"%1\r\n+proto\r\n:3\r\n", b"+OK\r\n"]
    with connection, contextlib.suppress(OSError):
        for asked, reply in zip((b"PING\r\n", b"HELLO 3\r\n", b"SELECT 1\r\n"), replies, strict=True):
            heard = b""
            while asked not in heard:
                if not (piece := connection.recv(4096)):
                    return
                heard += piece
            assert b"AUTH x" not in heard
            for byte in reply:
                connection.sendall(bytes((byte,)))
        connection.recv(1)


def test_a_server_that_answers_byte_by_byte(ambassador: Make, redis_settings: Make, target: Make, server: Any) -> None:
    with scripted(drop_by_drop) as address:
        through = ambassador(redis_settings(dev=target(server, hosts=[address]))).ready()
        with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
            sock.sendall(b"HELLO 3 AUTH x y\r\nAUTH x\r\nSELECT 1\r\n")
            expected = b"%1\r\n+proto\r\n:3\r\n+OK\r\n+OK\r\n"
            said = b""
            while len(said) < len(expected):
                piece = sock.recv(100)
                assert piece, said
                said += piece
            assert said == expected


def test_something_else_listens_there(ambassador: Make, redis_settings: Make, target: Make, server: Any) -> None:
    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(4096)

    with scripted(answer) as address:
        through = ambassador(redis_settings(dev=target(server, hosts=[address]))).ready()
        assert "does not speak Redis as expected" in through.event("target_faulty")["reason"]
        assert b"-ERR the database ambassador could not log in to cache/dev: " in said_to(through)


def test_a_server_that_says_nothing(ambassador: Make, redis_settings: Make, target: Make, server: Any) -> None:
    def listen(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while connection.recv(4096):
                pass

    with scripted(listen) as address:
        settings = redis_settings(limits={"hold": "300ms"}, dev=target(server, hosts=[address]))
        through = ambassador({"login_timeout": "200ms", **settings}).ready()
        assert "the login took longer than 0.2s" in through.event("target_down")["reason"]
        assert said_to(through).startswith(b"-LOADING cache/dev is down")


def test_the_end_of_the_ambassador_ends_sessions_in_order(through: Any) -> None:
    with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
        sock.sendall(b"PING\r\n")
        assert sock.recv(100) == b"+PONG\r\n"
        through.process.terminate()
        with client(through) as new:  # the app still needs new connections
            assert new.ping()
        assert through.process.poll() is None
        began = time.monotonic()
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b""
    assert through.exit_status() == 0
    assert time.monotonic() - began < 5
