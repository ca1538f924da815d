"""Several Redis servers, and encrypted ones: found by their role at every login, left when the role has changed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]
ROOT = "the-default-user's"


@pytest.fixture
def pair(make_server: Make) -> tuple[Any, Any]:
    """A primary and its replica."""
    primary = make_server("first", masterauth=ROOT)
    replica = make_server("second", masterauth=ROOT)
    follow(primary, None)
    follow(replica, primary)
    return primary, replica


def follow(server: Any, primary: Any) -> None:
    """Make it a replica of `primary` and wait until it is in step, or a primary."""
    with server.root() as root:
        root.execute_command("REPLICAOF", *(("127.0.0.1", primary.port) if primary else ("NO", "ONE")))
        if primary:
            until(lambda: root.execute_command("ROLE")[3] in (b"connected", "connected"))


def served_by(through: Any) -> tuple[str, int]:
    with redis.Redis(port=through.port, retry=None, decode_responses=True) as client:
        return client.execute_command("ROLE")[0], int(client.config_get("port")["port"])


@pytest.mark.parametrize(
    ("role", "expected"), [("primary", "master"), ("replica", "slave"), ("prefer-replica", "slave"), ("any", "slave")]
)
def test_the_role_that_is_wanted(
    pair: Any, role: str, expected: str, ambassador: Make, redis_settings: Make, target: Make, status: Make
) -> None:
    primary, replica = pair
    hosts = [replica.address, primary.address]
    through = ambassador(redis_settings(dev=target(primary, hosts=hosts, role=role))).ready()
    assert served_by(through)[0] == expected
    servers = {each["host"]: each["role"] for each in status(through)["servers"]}
    assert servers[replica.address] == "replica"


def test_the_primary_serves_where_no_replica_does(
    pair: Any, ambassador: Make, redis_settings: Make, target: Make
) -> None:
    primary, replica = pair
    hosts = [primary.address, replica.address]
    through = ambassador(redis_settings(dev=target(primary, hosts=hosts, role="prefer-replica"))).ready()
    replica.stop()
    assert served_by(through) == ("master", primary.port)


async def test_sessions_follow_the_primary(pair: Any, ambassador: Make, redis_settings: Make, target: Make) -> None:
    """The old primary goes on running, as a replica: nothing but its role tells that it is not to be written to."""
    old, new = pair
    settings = redis_settings(dev=target(old, hosts=[old.address, new.address], role="primary"))
    through = await asyncio.to_thread(ambassador({**settings, "health": {"interval": "100ms"}}).ready)
    stop, served = asyncio.Event(), {old.port: asyncio.Event(), new.port: asyncio.Event()}

    async def work() -> None:
        """Reads only, which the demoted server would answer for ever."""
        async with redis.asyncio.Redis(port=through.port, decode_responses=True) as client:
            while not stop.is_set():
                served[int((await client.config_get("port"))["port"])].set()

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(work())
        await served[old.port].wait()
        await asyncio.to_thread(follow, new, None)
        await asyncio.to_thread(follow, old, new)
        await served[new.port].wait()
        stop.set()
    assert "role_changed" in {each["event"] for each in through.events}
    assert "connection_refused" not in {each["event"] for each in through.events}


def test_a_user_that_may_not_ask_for_the_role(
    pair: Any, ambassador: Make, redis_settings: Make, target: Make, tmp_path: Path
) -> None:
    primary, _ = pair
    with primary.root() as root:
        root.execute_command("ACL", "SETUSER", "narrow", "on", ">pw", "~*", "+get")
    password = tmp_path / "pw"
    password.write_text("pw")
    login = {"user": "narrow", "password_file": str(password)}
    through = ambassador(redis_settings(dev=target(primary, **login))).ready()
    with redis.Redis(port=through.port, password="x") as client:
        assert client.get("environment") == b"first"
    through = ambassador(redis_settings(dev=target(primary, role="primary", **login))).ready()
    with redis.Redis(port=through.port, retry=None) as client, pytest.raises(redis.ResponseError, match="its role"):
        client.get("environment")


@pytest.fixture(scope="session")
def encrypted(make_server: Make, certificates: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that also listens with TLS, on `tls_port`, and wants a certificate shown."""
    authority = certificates.Authority(tmp_path_factory.mktemp("redis-certificates"))
    certificate, key = authority.issue("server", "localhost")
    options = {
        "tls-port": str(make_server.free_port()),  # type: ignore[attr-defined]
        "tls-cert-file": str(certificate),
        "tls-key-file": str(key),
        "tls-ca-cert-file": str(authority.ca_file),
    }
    server = make_server("encrypted", **options)
    server.tls_port, server.authority = int(options["tls-port"]), authority
    return server


@pytest.fixture
def through_tls(encrypted: Any, ambassador: Make, redis_settings: Make, target: Make) -> Callable[..., Any]:
    def start(host: str = "localhost", **changes: Any) -> Any:
        certificate, key = encrypted.authority.issue("client", "client.example")
        tls = {"ca_file": encrypted.authority.ca_file, "cert_file": certificate, "key_file": key, **changes}
        settings = {"mode": "verify-full", **{name: str(value) for name, value in tls.items() if value is not None}}
        hosts = [f"{host}:{encrypted.tls_port}"]
        return ambassador(redis_settings(dev=target(encrypted, hosts=hosts, tls=settings))).ready()

    return start


@pytest.mark.parametrize("protocol", [2, 3])
def test_over_tls_with_a_certificate_of_our_own(through_tls: Make, protocol: int) -> None:
    big = "x" * 5_000_000
    with redis.Redis(port=through_tls().port, protocol=protocol, password="x", decode_responses=True) as client:
        assert client.get("environment") == "encrypted"
        client.set("big", big)
        assert client.get("big") == big


def test_another_name_or_no_certificate(through_tls: Make) -> None:
    for changes, reason in (
        ({"host": "127.0.0.1"}, "certificate verify failed"),
        ({"cert_file": None, "key_file": None}, "TLS"),
    ):
        through = through_tls(**changes)
        # The server may close before its alert is read; then the app waits until it was looked at once more.
        patient = redis.Redis(port=through.port, retry=None, socket_timeout=WAIT_S)
        with patient as client, pytest.raises(redis.ResponseError, match=reason):
            client.get("environment")
        assert through.event("connection_refused", kind="tls")
