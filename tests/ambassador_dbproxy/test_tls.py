"""TLS to a real PostgreSQL: every mode, every way it can be wrong, and files that change while it runs."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ambassador_dbproxy.waiting import until

Make = Callable[..., Any]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory, certificates: Any) -> Any:
    return certificates.Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def server(make_cluster: Make, authority: Any, clusters: Any) -> Any:
    """PostgreSQL 15, which takes TLS and shows a certificate for `localhost`; the user `certified` needs one too."""
    cluster = make_cluster("15", "encrypted")
    hba = cluster.directory / "data/pg_hba.conf"
    hba.write_text("hostssl all certified all cert\nhostnossl all app all reject\n" + hba.read_text())
    cluster.sql("CREATE ROLE certified LOGIN", "postgres")
    show(cluster, clusters, *authority.issue("good", "localhost"))
    shutil.copy(authority.ca_file, cluster.directory / "data/ca.pem")
    cluster.sql("ALTER SYSTEM SET ssl_ca_file = 'ca.pem'", "postgres")
    cluster.sql("ALTER SYSTEM SET ssl = on", "postgres")
    reload(cluster)
    return cluster


def reload(cluster: Any) -> None:
    """Returns when new sessions are served with the new settings and files."""
    loaded = "SELECT pg_conf_load_time()"
    before = cluster.sql(loaded, "postgres")
    cluster.sql("SELECT pg_reload_conf()", "postgres")
    until(lambda: cluster.sql(loaded, "postgres") != before)


def show(cluster: Any, clusters: Any, certificate: Path, key: Path) -> None:
    """Let the server show another certificate from now on."""
    for source, name in ((certificate, "server.crt"), (key, "server.key")):
        shutil.copy(source, cluster.directory / "data" / name)
        if account := clusters.server_account():
            shutil.chown(cluster.directory / "data" / name, account)
    reload(cluster)


@pytest.fixture
def showing(server: Any, authority: Any, clusters: Any) -> Iterator[Callable[..., None]]:
    """`showing(certificate, key)`: what the server shows during this test."""
    yield lambda certificate, key: show(server, clusters, certificate, key)
    show(server, clusters, *authority.issue("good", "localhost"))


@pytest.fixture
def through(server: Any, ambassador: Make, postgres_settings: Make, target: Make) -> Callable[..., Any]:
    """`through(mode=…)`: an ambassador with these TLS settings."""

    def start(host: str = "localhost", user: str | None = None, **tls: Any) -> Any:
        changes = {"hosts": [f"{host}:{server.port}"], "tls": {name: str(value) for name, value in tls.items()}}
        if user:
            changes |= {"user": user, "password_file": None}
        return ambassador(postgres_settings(dev=target(server, **changes))).ready()

    return start


async def encrypted(through: Any) -> bool:
    async with await psycopg.AsyncConnection.connect(f"host=127.0.0.1 port={through.port} user=x dbname=y") as it:
        row = await (await it.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).fetchone()
    assert row
    return bool(row[0])


async def refusal(through: Any) -> str:
    """The app's error, which must stand as one event in the log."""
    with pytest.raises(psycopg.OperationalError) as caught:
        await psycopg.AsyncConnection.connect(f"host=127.0.0.1 port={through.port} user=x dbname=y")
    event = await asyncio.to_thread(through.event, "connection_refused", kind="tls")
    text = str(caught.value)
    assert event["reason"] in text
    assert [each["event"] for each in through.events].count("connection_refused") == 1
    return text


@pytest.mark.parametrize("mode", ["prefer", "require"])
async def test_encrypted_without_looking_at_the_certificate(through: Make, mode: str) -> None:
    assert await encrypted(through(host="127.0.0.1", mode=mode))


async def test_the_apps_own_login_where_the_server_offers_a_channel_binding(
    server: Any, ambassador: Make, postgres_settings: Make
) -> None:
    own = {"hosts": [server.address], "tls": {"mode": "require"}}
    through = ambassador(postgres_settings(dev=own)).ready()
    where = {"host": "127.0.0.1", "port": through.port, "user": "app", "dbname": "orders"}
    async with await psycopg.AsyncConnection.connect(**where, password=server.password) as it:
        row = await (await it.execute("SELECT ssl, user FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).fetchone()
    assert row == (True, "app")


async def test_the_name_and_its_authority_are_checked(through: Make, authority: Any) -> None:
    assert await encrypted(through(mode="verify-full", ca_file=authority.ca_file))


async def test_a_server_that_wants_tls_refuses_without(through: Make) -> None:
    ambassador = through(mode="disable")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        await encrypted(ambassador)


async def test_another_name(through: Make, authority: Any, showing: Make) -> None:
    showing(*authority.issue("other", "elsewhere.example"))
    assert "Hostname mismatch" in await refusal(through(mode="verify-full", ca_file=authority.ca_file))
    assert await encrypted(through(mode="verify-ca", ca_file=authority.ca_file))


async def test_an_expired_certificate(through: Make, authority: Any, showing: Make) -> None:
    showing(*authority.issue("expired", "localhost", expired=True))
    assert "certificate has expired" in await refusal(through(mode="verify-full", ca_file=authority.ca_file))


async def test_a_wrong_authority_is_named_and_a_swapped_file_is_seen(
    through: Make, authority: Any, certificates: Any, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca"
    ca_file.symlink_to(certificates.Authority(tmp_path, "wrong").ca_file)
    ambassador = through(mode="verify-full", ca_file=ca_file)
    assert "certificate in certificate chain" in await refusal(ambassador)
    new = tmp_path / "new"
    new.symlink_to(authority.ca_file)
    new.replace(ca_file)
    assert await encrypted(ambassador)


async def test_a_server_without_tls(
    ambassador: Make, make_cluster: Make, postgres_settings: Make, target: Make
) -> None:
    plain = make_cluster("18", "dev")
    required = ambassador(postgres_settings(dev=target(plain, tls={"mode": "require"}))).ready()
    assert "the server offers no TLS" in await refusal(required)
    preferred = ambassador(postgres_settings(dev=target(plain, tls={"mode": "prefer"}))).ready()
    assert not await encrypted(preferred)


async def test_our_certificate_is_the_login(through: Make, authority: Any, certificates: Any, tmp_path: Path) -> None:
    certificate, key = authority.issue("client", "client.example", common_name="certified")
    assert await encrypted(through(user="certified", mode="require", cert_file=certificate, key_file=key))
    certificate, key = certificates.Authority(tmp_path, "other").issue("client", common_name="certified")
    stranger = through(user="certified", mode="require", cert_file=certificate, key_file=key)
    assert "unknown ca" in await refusal(stranger)


async def test_cancel_over_tls_and_much_in_both_directions(through: Make, authority: Any) -> None:
    ambassador = through(mode="verify-full", ca_file=authority.ca_file)
    where = f"host=127.0.0.1 port={ambassador.port} user=x dbname=y"
    async with await psycopg.AsyncConnection.connect(where, autocommit=True) as it:
        sent = "x" * 3_000_000
        row = await (await it.execute("SELECT %s || 'y'", (sent,))).fetchone()
        assert row == (sent + "y",)
        sleeping = asyncio.create_task(it.execute("SELECT pg_sleep(30)"))
        while not sleeping.done():
            await it.cancel_safe()
            await asyncio.wait((sleeping,), timeout=0.1)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping


def test_settings_that_contradict_each_other(
    ambassador: Make, postgres_settings: Make, target: Make, server: Any
) -> None:
    dev = target(server, tls={"mode": "require", "ca_file": "/ca", "cert_file": "/cert"})
    refused = ambassador(postgres_settings(dev=dev))
    assert refused.exit_status() == 64
    mistakes = "\n".join(refused.event("settings_refused")["mistakes"])
    assert "dev.tls.ca_file: the mode require checks nothing" in mistakes
    assert "dev.tls.key_file: cert_file and key_file go together" in mistakes
