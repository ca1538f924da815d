"""A real Redis behind a real ambassador: what drivers do, in both versions of the protocol, as if directly."""

import asyncio
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]
BIG = 40 * 1024 * 1024

both = pytest.mark.parametrize("protocol", [2, 3])


@pytest.fixture(scope="module")
def through(make_server: Make, lasting_ambassador: Make, redis_settings: Make, target: Make) -> Any:
    return lasting_ambassador(redis_settings(dev=target(make_server("dev")))).ready()


@pytest.fixture(params=[2, 3])
def client(request: pytest.FixtureRequest, through: Any) -> Iterator[Any]:
    with redis.Redis(port=through.port, protocol=request.param, password="any", decode_responses=True) as client:
        client.flushdb()
        yield client


@pytest.fixture(params=[2, 3])
async def aclient(request: pytest.FixtureRequest, through: Any) -> AsyncIterator[Any]:
    async with redis.asyncio.Redis(port=through.port, protocol=request.param, decode_responses=True) as client:
        await client.flushdb()
        yield client


@pytest.fixture
def connect(through: Any) -> Iterator[Callable[[], socket.socket]]:
    """`connect()`: a bare connection to the ambassador."""
    opened: list[socket.socket] = []

    def make() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", through.port), WAIT_S))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def receive(sock: socket.socket, until: bytes) -> bytes:
    """What comes until it ends with `until`."""
    got = b""
    while not got.endswith(until):
        piece = sock.recv(65536)
        assert piece, f"ended after {got!r}"
        got += piece
    return got


def receive_all(sock: socket.socket) -> bytes:
    got = b""
    while piece := sock.recv(65536):
        got += piece
    return got


@pytest.mark.parametrize("login", [{}, {"password": "x"}, {"username": "someone", "password": "x"}])
@both
def test_any_login_and_none(through: Any, login: dict[str, Any], protocol: int) -> None:
    with redis.Redis(port=through.port, protocol=protocol, client_name="orders-1", db=3, **login) as client:
        info = client.client_info()
    assert (info["user"], info["name"], info["db"], info["resp"]) == ("app", "orders-1", 3, str(protocol))


def test_the_database_of_the_environment_replaces_the_drivers(
    server: Any, ambassador: Make, redis_settings: Make, target: Make
) -> None:
    through = ambassador(redis_settings(dev=target(server, database="5"))).ready()
    with redis.Redis(port=through.port, db=3) as client:
        assert client.client_info()["db"] == 5
        client.execute_command("SELECT", 7)  # in mid-session the app's word counts
        assert client.client_info()["db"] == 7


@both
def test_without_a_user_the_apps_own_login_passes(
    server: Any, ambassador: Make, redis_settings: Make, target: Make, protocol: int
) -> None:
    through = ambassador(redis_settings(dev=target(server, user=None, password_file=None))).ready()
    own = {"port": through.port, "protocol": protocol, "retry": None}
    with redis.Redis(username="app", password="correct-horse=battery!stäple", **own) as client:
        assert client.acl_whoami() in (b"app", "app")
    with redis.Redis(username="app", password="wrong", **own) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    with redis.Redis(**own) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_the_default_user_with_a_password_alone(
    server: Any, ambassador: Make, redis_settings: Make, target: Make, tmp_path: Any
) -> None:
    password = tmp_path / "password"
    password.write_text("the-default-user's")
    through = ambassador(redis_settings(dev=target(server, user="default", password_file=str(password)))).ready()
    with redis.Redis(port=through.port, decode_responses=True) as client:
        assert client.acl_whoami() == "default"


def test_values_of_every_kind(client: Any) -> None:
    client.hset("h", mapping={"a": 1, "b": 2.5})
    client.zadd("z", {"one": 1, "two": 2})
    client.sadd("s", "x", "y")
    assert client.hgetall("h") == {"a": "1", "b": "2.5"}
    assert client.zscore("z", "two") == 2.0
    assert client.smembers("s") == {"x", "y"}
    assert client.get("absent") is None
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.get("h")
    assert client.eval("return {1, 'two', {3}}", 0) == [1, "two", [3]]


def test_pipelines_and_transactions(client: Any) -> None:
    with client.pipeline(transaction=False) as many:
        for n in range(5000):
            many.set(f"k{n}", n)
        assert all(many.execute())
    with client.pipeline() as both_or_none:
        both_or_none.watch("k1")
        value = int(both_or_none.get("k1"))
        both_or_none.multi()
        both_or_none.set("k1", value + 1)
        both_or_none.get("k1")
        assert both_or_none.execute() == [True, "2"]
    with client.pipeline() as beaten:
        beaten.watch("k1")
        client.set("k1", "another's")
        beaten.multi()
        beaten.set("k1", "mine")
        with pytest.raises(redis.WatchError):
            beaten.execute()


def test_big_values(client: Any) -> None:
    value = "0123456789abcdef" * (BIG // 16)
    assert client.set("big", value)
    assert client.strlen("big") == BIG
    assert client.get("big") == value
    client.delete("big")


async def test_publish_and_subscribe(aclient: Any) -> None:
    async with aclient.pubsub() as listening:
        await listening.subscribe("news")
        await listening.psubscribe("old*")
        assert [(await next_message(listening))["type"] for _ in range(2)] == ["subscribe", "psubscribe"]
        await aclient.publish("news", "today")
        await aclient.publish("olds", "yesterday")
        assert [(await next_message(listening))["data"] for _ in range(2)] == ["today", "yesterday"]
        await listening.unsubscribe("news")
        assert (await next_message(listening))["type"] == "unsubscribe"


async def next_message(listening: Any) -> Any:
    async with asyncio.timeout(WAIT_S):
        while (message := await listening.get_message(timeout=5)) is None:
            pass
        return message


def test_monitor(client: Any) -> None:
    with client.monitor() as seen:
        client.set("watched", "1")
        commands = iter(seen.listen())
        assert "SET watched 1" in next(each["command"] for each in commands if "watched" in each["command"])


def test_a_command_that_blocks(client: Any) -> None:
    got: list[Any] = []
    waiter = threading.Thread(target=lambda: got.append(client.blpop("queue", WAIT_S)))
    waiter.start()
    until(lambda: client.info("clients")["blocked_clients"])
    client.rpush("queue", "work")
    waiter.join(WAIT_S)
    assert [list(each) for each in got] == [["queue", "work"]]


def test_client_side_caching_is_told_of_changes(connect: Make, client: Any) -> None:
    sock = connect()
    sock.sendall(b"HELLO 3 AUTH a b\r\nCLIENT TRACKING ON\r\nGET cached\r\n")
    receive(sock, b"+OK\r\n_\r\n")
    client.set("cached", "new")
    assert receive(sock, b"cached\r\n") == b">2\r\n$10\r\ninvalidate\r\n*1\r\n$6\r\ncached\r\n"


def test_a_client_that_wants_no_replies(connect: Make) -> None:
    sock = connect()
    sock.sendall(b"AUTH x\r\nCLIENT REPLY OFF\r\nSET a 1\r\nSET b 2\r\nCLIENT REPLY ON\r\nGET b\r\n")
    assert receive(sock, b"$1\r\n2\r\n") == b"+OK\r\n+OK\r\n$1\r\n2\r\n"


def test_a_client_that_skips_single_replies(connect: Make) -> None:
    sock = connect()
    sock.sendall(b"AUTH x\r\nCLIENT REPLY SKIP\r\nSET c 1\r\nINCR c\r\nCLIENT REPLY SKIP\r\nINCR c\r\nGET c\r\n")
    assert receive(sock, b"$1\r\n3\r\n") == b"+OK\r\n:2\r\n$1\r\n3\r\n"


def test_subscribed_without_push_messages(connect: Make, client: Any) -> None:
    """In RESP2 a subscribed connection may say little, and is told so by the server."""
    sock = connect()
    sock.sendall(b"SUBSCRIBE only\r\nGET x\r\nPING\r\n")
    said = receive(sock, b"*2\r\n$4\r\npong\r\n$0\r\n\r\n")
    assert said.startswith(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nonly\r\n:1\r\n-ERR Can't execute 'get'")
    assert client.publish("only", "news") == 1
    assert receive(sock, b"news\r\n") == b"*3\r\n$7\r\nmessage\r\n$4\r\nonly\r\n$4\r\nnews\r\n"


def test_a_reset_is_the_servers_and_logs_the_session_out(connect: Make) -> None:
    sock = connect()
    sock.sendall(b"HELLO 3 AUTH a b\r\nMULTI\r\nRESET\r\nGET x\r\n")
    said = receive(sock, b"required.\r\n")
    assert said.endswith(b"+OK\r\n+RESET\r\n-NOAUTH Authentication required.\r\n")


def test_a_later_auth_is_the_servers_to_answer(connect: Make) -> None:
    sock = connect()
    sock.sendall(b"AUTH x\r\nGET absent\r\nAUTH wrong\r\nACL WHOAMI\r\n")
    replies = receive(sock, b"app\r\n")
    assert replies.startswith(b"+OK\r\n$-1\r\n-WRONGPASS ")
    assert replies.endswith(b"$3\r\napp\r\n")  # refused, and still who it was


def test_one_byte_at_a_time(connect: Make) -> None:
    sock = connect()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"*2\r\n$4\r\nauth\r\n$4\r\nx\r\ny\r\n*1\r\n$4\r\nPING\r\nECHO hi\r\n":
        sock.sendall(bytes((byte,)))
    assert receive(sock, b"hi\r\n") == b"+OK\r\n+PONG\r\n$2\r\nhi\r\n"


def test_a_login_that_is_too_long_never_reaches_the_server(connect: Make, through: Any) -> None:
    sock = connect()
    sock.sendall(b"*2\r\n$4\r\nAUTH\r\n$500000000\r\n")
    assert receive_all(sock).startswith(b"-ERR Protocol error: a login of more than")
    assert through.event("handshake_broken")


def test_half_close_still_gets_the_replies(connect: Make) -> None:
    sock = connect()
    sock.sendall(b"AUTH x\r\nPING\r\nECHO bye\r\n")
    sock.shutdown(socket.SHUT_WR)
    assert receive_all(sock) == b"+OK\r\n+PONG\r\n$3\r\nbye\r\n"


def test_quit_closes_in_order(connect: Make) -> None:
    sock = connect()
    sock.sendall(b"QUIT\r\n")
    assert receive_all(sock) == b"+OK\r\n"


def test_a_killed_client_is_told_as_directly(connect: Make, client: Any) -> None:
    sock = connect()
    sock.sendall(b"CLIENT ID\r\n")
    number = int(receive(sock, b"\r\n")[1:])
    assert client.client_kill_filter(_id=number) == 1
    assert receive_all(sock) == b""


@pytest.mark.parametrize("protocol", ["-2", "-3"])
def test_redis_cli(through: Any, protocol: str) -> None:
    command = ["redis-cli", "-p", str(through.port), protocol, "--no-auth-warning", "-a", "whatever"]
    done = subprocess.run(
        [*command, "-n", "2", "-x", "SET", "from-stdin"], input=b"a\r\nb", capture_output=True, check=False
    )
    assert (done.stdout, done.stderr) == (b"OK\n", b"")
    done = subprocess.run(
        command, input=b"SELECT 2\nGET from-stdin\nACL WHOAMI\n", capture_output=True, check=False, timeout=WAIT_S
    )
    assert done.stdout == b"OK\na\r\nb\napp\n"
    mass = b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\nm%d\r\n$1\r\nv\r\n" % (len(str(n)) + 1, n) for n in range(20_000))
    done = subprocess.run([*command, "--pipe"], input=mass, capture_output=True, check=False, timeout=WAIT_S)
    assert b"errors: 0, replies: 20000" in done.stdout


def test_bytes_are_counted(through: Any, client: Any) -> None:
    import urllib.request

    client.set("x", "y" * 100_000)
    with urllib.request.urlopen(f"http://{through.ops}/metrics", timeout=WAIT_S) as answer:
        lines = answer.read().decode().splitlines()
    counted = next(float(each.split()[1]) for each in lines if each.startswith('dbproxy_bytes_total{from="app"'))
    assert counted > 100_000
