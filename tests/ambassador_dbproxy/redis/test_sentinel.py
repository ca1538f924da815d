"""What Sentinels answer, as transcripts; and three real ones that move the primary while clients are at work."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from ambassador_dbproxy.redis.resp import ErrorReply, ProtocolViolation, Push, Reply
from ambassador_dbproxy.redis.sentinel import Known, agreed, is_switch, question, read_answers
from chassis.settings import Address
from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]
ROOT = "the-default-user's"
SENTINEL_PASSWORD = "for-the-sentinels"
A, B, C = (Address(f"10.0.0.{n}:6379") for n in (1, 2, 3))


def replica(host: bytes, port: bytes, flags: bytes) -> Reply:
    return (b"name", host + b":" + port, b"ip", host, b"port", port, b"flags", flags, b"odd")


def test_the_question() -> None:
    words = [b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", b"cache", b"SENTINEL", b"REPLICAS", b"cache"]
    assert [line for line in question("cache").split(b"\r\n") if line[:1] not in b"*$"] == words


def test_answers() -> None:
    replicas = (
        replica(b"10.0.0.2", b"6379", b"slave"),
        replica(b"10.0.0.3", b"6379", b"s_down,slave,disconnected"),
        b"what",
        (b"ip", b"10.0.0.9"),
    )
    assert read_answers((b"10.0.0.1", b"6379"), replicas) == Known(A, (B,))
    assert read_answers((b"10.0.0.1", b"6379"), ErrorReply("ERR no")) == Known(A, ())
    assert read_answers(None, ErrorReply("ERR No such master with that name")) is None


@pytest.mark.parametrize(
    "primary",
    [b"OK", 1, (), (b"a",), (b"a", b"b"), (b"a", b"0"), (b"a", b"70000"), (b"", b"1"), ErrorReply("NOAUTH x")],
)
def test_no_answers(primary: Reply) -> None:
    with pytest.raises(ProtocolViolation):
        read_answers(primary, ())


def test_what_most_of_them_say_comes_first() -> None:
    known = [Known(A, (B,)), Known(B, (C,)), Known(B, (A,))]
    assert agreed(known, with_replicas=False) == (B, A)
    assert agreed(known, with_replicas=True) == (B, A, C)


@pytest.mark.parametrize(
    ("message", "switch"),
    [
        ((b"message", b"+switch-master", b"cache 10.0.0.1 6379 10.0.0.2 6379"), True),
        ((b"message", b"+switch-master", b"cache2 10.0.0.1 6379 10.0.0.2 6379"), False),
        ((b"subscribe", b"+switch-master", 1), False),
        (Push((b"message", b"+switch-master", b"cache")), False),
        (b"OK", False),
    ],
)
def test_the_news_of_a_switch(message: Reply, switch: bool) -> None:
    assert is_switch(message, "cache") is switch


class Sentinel:
    """One redis-sentinel."""

    def __init__(self, port: int, primary: int, directory: Path, quorum: int = 2) -> None:
        self.port = port
        config = directory / f"sentinel-{port}.conf"
        config.write_text(
            f'port {port}\nbind 127.0.0.1\ndir {directory}\nrequirepass "{SENTINEL_PASSWORD}"\n'
            f'sentinel monitor cache 127.0.0.1 {primary} {quorum}\nsentinel auth-pass cache "{ROOT}"\n'
            f'sentinel sentinel-pass "{SENTINEL_PASSWORD}"\n'
            "sentinel down-after-milliseconds cache 1500\nsentinel failover-timeout cache 2000\n"
        )
        with (directory / f"sentinel-{port}.log").open("wb") as log:
            self.process = subprocess.Popen(["redis-server", str(config), "--sentinel"], stdout=log, stderr=log)

    def knows(self) -> dict[str, Any] | None:
        """Its view of the primary once it answers."""
        assert self.process.poll() is None
        try:
            with redis.Redis(port=self.port, password=SENTINEL_PASSWORD, retry=None, decode_responses=True) as client:
                fields = client.execute_command("SENTINEL", "MASTER", "cache")
        except redis.RedisError:
            return None
        return dict(fields) if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))

    def knows_all(self) -> bool:
        """True once it has found the two others and the replica."""
        known = self.knows() or {}
        return (known.get("num-other-sentinels"), known.get("num-slaves")) == ("2", "1")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def sentinels(make_server: Make, tmp_path: Path) -> Iterator[tuple[Any, Any, list[Sentinel]]]:
    """A primary, its replica, and three Sentinels that have found each other."""
    primary = make_server("watched", masterauth=ROOT)
    follower = make_server("watched-too", masterauth=ROOT)
    with primary.root() as root, follower.root() as other:
        root.execute_command("REPLICAOF", "NO", "ONE")
        other.execute_command("REPLICAOF", "127.0.0.1", primary.port)
        until(lambda: other.execute_command("ROLE")[3] in (b"connected", "connected"))
    started = [Sentinel(make_server.free_port(), primary.port, tmp_path) for _ in range(3)]  # type: ignore[attr-defined]
    try:
        for each in started:
            until(each.knows_all)
        yield primary, follower, started
    finally:
        for each in started:
            each.stop()
        primary.stop()
        follower.stop()


async def test_sentinels_lead_to_the_primary_and_after_it(
    sentinels: Any, ambassador: Make, redis_settings: Make, target: Make, status: Make, tmp_path: Path
) -> None:
    primary, follower, watching = sentinels
    password = tmp_path / "sentinels"
    password.write_text(SENTINEL_PASSWORD)
    environment = target(
        primary,
        hosts=["127.0.0.1:1", *(f"127.0.0.1:{each.port}" for each in watching)],
        sentinel={"primary": "cache", "password_file": str(password)},
        role="primary",
    )
    # So seldom that only the Sentinels' own message can be in time.
    slow = {"health": {"interval": "10m"}, **redis_settings(limits={"hold": "10m"}, dev=environment)}
    through = await asyncio.to_thread(ambassador(slow).ready)
    stop, served = asyncio.Event(), {primary.port: asyncio.Event(), follower.port: asyncio.Event()}
    errors: list[str] = []

    async def work() -> None:
        while not stop.is_set():
            async with redis.asyncio.Redis(port=through.port, retry=None, socket_timeout=WAIT_S) as client:
                try:
                    while not stop.is_set():
                        await client.set("written", "again")
                        served[int((await client.config_get("port"))["port"])].set()
                except redis.ConnectionError as error:
                    errors.append(str(error))

    async with asyncio.timeout(2 * WAIT_S), asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(work())
        await served[primary.port].wait()
        await asyncio.to_thread(primary.stop)
        await served[follower.port].wait()
        stop.set()
    assert len(errors) <= 3, "more than the one that ended each session"
    assert through.event("primary_switched", primary="cache")
    assert "connection_refused" not in {each["event"] for each in through.events}
    servers = (await asyncio.to_thread(status, through))["servers"]
    assert follower.address in {each["host"] for each in servers}


def test_what_sentinels_refuse_is_the_reason(
    server: Any, make_server: Make, ambassador: Make, redis_settings: Make, target: Make, tmp_path: Path
) -> None:
    alone = Sentinel(make_server.free_port(), server.port, tmp_path)  # type: ignore[attr-defined]
    try:
        environment = target(server, hosts=[f"127.0.0.1:{alone.port}"], role="primary", sentinel={"primary": "cache"})
        until(alone.knows)
        through = ambassador(redis_settings(dev=environment)).ready()
        assert "NOAUTH" in through.event("target_down")["reason"]
    finally:
        alone.stop()


def test_without_sentinels_what_they_said_last_stands(
    server: Any, make_server: Make, ambassador: Make, redis_settings: Make, target: Make, tmp_path: Path
) -> None:
    password = tmp_path / "sentinels"
    password.write_text(SENTINEL_PASSWORD)
    alone = Sentinel(make_server.free_port(), server.port, tmp_path, quorum=1)  # type: ignore[attr-defined]
    try:
        environment = target(
            server,
            hosts=[f"127.0.0.1:{alone.port}"],
            role="primary",
            sentinel={"primary": "cache", "password_file": str(password)},
        )
        until(alone.knows)
        through = ambassador({"health": {"interval": "100ms"}, **redis_settings(dev=environment)}).ready()
        through.event("target_up")
    finally:
        alone.stop()
    assert str(alone.port) in through.event("sentinels_unreachable")["reason"]
    with redis.Redis(port=through.port, retry=None) as client:
        assert client.ping()
    assert "target_down" not in {each["event"] for each in through.events}
