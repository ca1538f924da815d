"""Start, stop and mistakes of the real process: exit statuses, events, metrics."""

import asyncio
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ambassador_dbproxy.waiting import WAIT_S

Make = Callable[..., Any]


@pytest.fixture
def nowhere() -> dict[str, Any]:
    return {"hosts": ["127.0.0.1:1"]}


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield f"127.0.0.1:{sock.getsockname()[1]}"


def test_ready_means_listening_not_database_up(
    ambassador: Make, postgres_settings: Make, nowhere: dict[str, Any]
) -> None:
    through = ambassador(postgres_settings(dev=nowhere)).ready()
    through.event("target_down", target="orders/dev")
    with urllib.request.urlopen(f"http://{through.ops}/readyz", timeout=WAIT_S) as answer:
        assert answer.status == 200
    assert through.stop() == 0


def test_a_port_in_use_is_the_operators(
    ambassador: Make, postgres_settings: Make, nowhere: dict[str, Any], taken: str
) -> None:
    settings = postgres_settings(dev=nowhere)
    settings["listeners"][0]["listen"] = taken
    refused = ambassador(settings)
    assert refused.exit_status() == 64
    event = refused.event("cannot_start")
    assert event["setting"] == "listeners[0].listen"
    assert taken in event["reason"]


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"environment": "staging"}, "environment: unknown environment 'staging': listener orders knows dev"),
        ({"environment": "${APP_ENV}"}, "environment: "),
        ({"listen": "0.0.0.0:0"}, "listeners[0].listen: 0.0.0.0:0 is not a loopback address"),
        ({"protocol": "oracle"}, "listeners[0].protocol: expected one of "),
        ({"hosts": []}, "listeners[0].environments.dev.hosts: "),
        ({"password_file": "/etc/db/dev"}, "listeners[0].environments.dev.password_file: needs `user`"),
        (
            {"tls": {"mode": "verify-ca"}},
            "listeners[0].environments.dev.tls.ca_file: verify-ca checks no name, and whoever owns a name",
        ),
        ({"roel": "primary"}, "listeners[0].environments.dev.roel: unknown setting"),
    ],
)
def test_mistakes_are_named_with_their_path(
    ambassador: Make, postgres_settings: Make, nowhere: dict[str, Any], change: dict[str, Any], mistake: str
) -> None:
    settings = postgres_settings(dev=nowhere)
    listener = settings["listeners"][0]
    for name, value in change.items():
        place = settings if name in settings else listener if name in listener else listener["environments"]["dev"]
        place[name] = value
    refused = ambassador(settings)
    assert refused.exit_status() == 64
    assert any(each.startswith(mistake) for each in refused.event("settings_refused")["mistakes"]), refused.events


def test_listening_beyond_loopback_is_said_loudly(
    ambassador: Make, postgres_settings: Make, nowhere: dict[str, Any]
) -> None:
    settings = postgres_settings(dev=nowhere)
    settings["listeners"][0] |= {"listen": "0.0.0.0:0", "allow_remote": True}
    through = ambassador(settings).ready()
    assert through.event("listening_beyond_loopback")["level"] == "warning"


async def test_after_sigterm_the_app_is_served_until_it_has_gone(
    make_cluster: Make, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    through = ambassador(postgres_settings(dev=target(make_cluster("18", "dev")))).ready()
    where = f"host=127.0.0.1 port={through.port} user=x dbname=y"
    async with await psycopg.AsyncConnection.connect(where) as old:
        through.process.terminate()
        await asyncio.to_thread(through.event, "stop_asked")
        async with await psycopg.AsyncConnection.connect(where) as new:
            await new.execute("SELECT 1")
        await old.execute("SELECT 1")
        assert through.process.poll() is None
    assert await asyncio.to_thread(through.exit_status) == 0


async def test_the_order_of_a_native_sidecar(
    make_cluster: Make, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    """The app connects for each request and goes on for a while after SIGTERM; each request is served."""
    through = ambassador(postgres_settings(dev=target(make_cluster("18", "dev")))).ready()
    through.process.terminate()
    await asyncio.to_thread(through.event, "stop_asked")
    for _ in range(10):
        async with await psycopg.AsyncConnection.connect(
            f"host=127.0.0.1 port={through.port} user=x dbname=y"
        ) as connection:
            await connection.execute("SELECT 1")
        await asyncio.sleep(0.05)  # the app's own work between two requests
    assert await asyncio.to_thread(through.exit_status) == 0


async def test_an_open_tcp_session_ends_at_the_drain_deadline(
    faults: Any, ambassador: Make, postgres_settings: Make, make_cluster: Make
) -> None:
    async with faults.FaultyProxy(make_cluster("18", "dev").address) as silent:
        silent.blackhole = True
        settings = postgres_settings(dev={"hosts": [silent.address]})
        settings["listeners"][0]["protocol"] = "tcp"
        through = ambassador({**settings, "drain": {"deadline": "300ms"}}).ready()
        reader, writer = await asyncio.open_connection("127.0.0.1", through.port)
        while (await asyncio.to_thread(through.status))["listeners"][0]["sessions"] == 0:
            pass  # each look takes its time
        through.process.terminate()
        assert await reader.read() == b""
        assert await asyncio.to_thread(through.exit_status) == 0
        writer.close()
        await writer.wait_closed()


async def test_at_the_drain_deadline_sessions_are_told(
    make_cluster: Make, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    settings = postgres_settings(dev=target(make_cluster("18", "dev")))
    through = ambassador({**settings, "drain": {"deadline": "200ms"}}).ready()
    where = f"host=127.0.0.1 port={through.port} user=x dbname=y"
    async with await psycopg.AsyncConnection.connect(where) as old:
        await old.execute("SELECT 1")
        through.process.terminate()
        assert await asyncio.to_thread(through.exit_status) == 0
        with pytest.raises(psycopg.errors.AdminShutdown, match="shutting down"):
            await old.execute("SELECT 1")


async def test_metrics_are_there_from_the_start_and_count(
    make_cluster: Make, ambassador: Make, postgres_settings: Make, target: Make
) -> None:
    through = ambassador(postgres_settings(dev=target(make_cluster("18", "dev")))).ready()
    before = await asyncio.to_thread(metrics, through)
    assert before['dbproxy_refused_total{listener="orders",reason="hold"}'] == 0
    assert before['dbproxy_transactions_total{listener="orders"}'] == 0
    where = f"host=127.0.0.1 port={through.port} user=x dbname=y"
    async with await psycopg.AsyncConnection.connect(where, autocommit=True) as connection:
        for _ in range(10):
            await connection.execute("SELECT 1", prepare=False)
        with pytest.raises(psycopg.errors.SyntaxError):
            await connection.execute("nonsense")
        after = await asyncio.to_thread(metrics, through)
    assert after['dbproxy_sessions{listener="orders"}'] == 1
    assert after['dbproxy_transactions_total{listener="orders"}'] == 11
    assert after['dbproxy_errors_total{listener="orders",sqlstate_class="42"}'] == 1
    assert after['dbproxy_target_up{environment="dev",listener="orders"}'] == 1
    assert after['dbproxy_bytes_total{from="server",listener="orders"}'] > 0


def metrics(through: Any) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{through.ops}/metrics", timeout=WAIT_S) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_a_unix_socket_is_removed_and_a_stale_one_replaced(
    ambassador: Make, postgres_settings: Make, nowhere: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / ".s.PGSQL.5432"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    settings = postgres_settings(dev=nowhere)
    settings["listeners"][0]["listen"] = f"unix://{path}"
    through = ambassador(settings).ready()
    second = ambassador(settings)
    assert second.exit_status() == 64
    assert through.stop() == 0, through.raw
    assert not path.exists()
