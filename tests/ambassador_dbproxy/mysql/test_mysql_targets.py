"""Which server an app gets and how it hears of trouble there: holding, bounds, passwords, roles, TLS, switches."""

import asyncio
import contextlib
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiomysql
import pymysql
import pytest

from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]
NOWHERE = "127.0.0.1:1"


def connect(through: Any, **options: Any) -> Any:
    return pymysql.connect(
        host="127.0.0.1", port=through.port, **{"user": "x", "autocommit": True, "read_timeout": WAIT_S, **options}
    )


async def aconnect(through: Any) -> Any:
    return await aiomysql.connect(host="127.0.0.1", port=through.port, user="x", autocommit=True)


async def aask(connection: Any, sql: str) -> Any:
    async with connection.cursor() as cursor:
        await cursor.execute(sql)
        return await cursor.fetchall()


def ask(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def once(through: Any, sql: str, **options: Any) -> Any:
    with connect(through, **options) as connection:
        return ask(connection, sql)


async def taken(served: asyncio.Semaphore, count: int) -> None:
    for _ in range(count):
        await served.acquire()


def listener(through: Any) -> dict[str, Any]:
    found: dict[str, Any] = through.status()["listeners"][0]
    return found


def sessions_gone(through: Any) -> None:
    until(lambda: not listener(through)["sessions"])


@pytest.fixture
def restarted(make_mariadb: Make) -> Any:
    return make_mariadb("restarted")


async def test_connections_are_held_until_the_database_is_up(
    restarted: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    through = ambassador(mysql_settings(limits={"hold": "10m"}, dev=target(restarted))).ready()
    old = await asyncio.to_thread(connect, through)
    await asyncio.to_thread(restarted.stop)
    with pytest.raises(pymysql.OperationalError):
        ask(old, "SELECT 1")
    through.event("target_down")
    held = [asyncio.create_task(aconnect(through)) for _ in range(10)]
    while (await asyncio.to_thread(listener, through))["waiting"] != 10:
        pass
    await asyncio.to_thread(restarted.start)
    for connection in await asyncio.gather(*held):
        assert await aask(connection, "SELECT name FROM environment") == (("restarted",),)
        connection.close()
    assert "connection_refused" not in {each["event"] for each in through.events}


def test_past_the_bounds_the_protocols_own_errors(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    nowhere = target(server, hosts=[NOWHERE])
    through = ambassador(mysql_settings(limits={"hold": "300ms"}, dev=nowhere)).ready()
    through.event("target_down")
    with pytest.raises(pymysql.OperationalError, match="orders/dev is down, waited 300ms") as caught:
        connect(through)
    assert caught.value.args[0] == 2013
    through = ambassador(mysql_settings(limits={"waiting": 0}, dev=nowhere)).ready()
    through.event("target_down")
    with pytest.raises(pymysql.OperationalError, match="orders/dev is down and 0 connections wait") as caught:
        connect(through)
    assert caught.value.args[0] == 1040


async def test_too_many_sessions_also_in_a_rush(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    through = ambassador(mysql_settings(limits={"connections": 5}, dev=target(server))).ready()
    outcomes = await asyncio.gather(*(aconnect(through) for _ in range(16)), return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, BaseException)]
    assert [each.args[0] for each in refused] == [1040] * 11
    for each in outcomes:
        if each not in refused:
            each.close()
    await asyncio.to_thread(sessions_gone, through)
    assert once(through, "SELECT 1") == ((1,),)


def test_a_wrong_password_is_the_servers_verdict_and_one_event(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("not-it-at-all")
    through = ambassador(mysql_settings(dev=target(server, password_file=str(password)))).ready()
    with pytest.raises(pymysql.OperationalError, match=r"Access denied for user 'app'.*orders/dev") as caught:
        connect(through)
    assert caught.value.args[0] == 1045
    assert "Access denied" in through.event("connection_refused", kind="login")["reason"]
    assert len([each for each in through.events if each["event"] == "connection_refused"]) == 1
    password.write_text(server.password_file.read_text())
    assert once(through, "SELECT 1") == ((1,),)  # the file is read anew
    password.unlink()
    assert once(through, "SELECT 1") == ((1,),)  # the last good one stands in
    for secret in ("not-it-at-all", server.password_file.read_text().strip()):
        assert secret not in through.raw
        assert secret not in through.command("status").stdout


def test_a_wrong_password_is_not_tried_by_probes_again_and_again(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make, tmp_path: Path
) -> None:
    server.sql("CREATE OR REPLACE USER locked@'127.0.0.1' IDENTIFIED BY 'right'")
    (tmp_path / "password").write_text("wrong")
    settings = mysql_settings(dev=target(server, user="locked", password_file=str(tmp_path / "password")))
    before = int(str(server.sql("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'")[0][1]))
    connections = "SHOW GLOBAL STATUS LIKE 'Connections'"
    through = ambassador({**settings, "health": {"interval": "20ms"}}).ready()
    began = int(str(server.sql(connections)[0][1]))
    while int(str(server.sql(connections)[0][1])) < began + 60:
        pass  # half of them are probes, half are ours
    assert int(str(server.sql("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'")[0][1])) == before + 1
    assert listener(through)["health"] == "up"


async def test_passwords_rotated_by_symlink_swap_under_load(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make, tmp_path: Path
) -> None:
    """The file changes a moment before the server, with logins all the time."""
    for n in (0, 1):
        (tmp_path / f"life-{n}").mkdir()
        (tmp_path / f"life-{n}" / "password").write_text(f"secret-{n}")
    (tmp_path / "now").symlink_to(tmp_path / "life-0")
    (tmp_path / "password").symlink_to(tmp_path / "now" / "password")
    server.sql("CREATE OR REPLACE USER turning@'127.0.0.1' IDENTIFIED BY 'secret-0'")
    to = target(server, user="turning", database=None, password_file=str(tmp_path / "password"))
    through = ambassador({**mysql_settings(dev=to), "health": {"interval": "50ms"}}).ready()
    stop, logins = asyncio.Event(), [asyncio.Semaphore(0) for _ in range(4)]

    async def client(its: asyncio.Semaphore) -> None:
        while not stop.is_set():
            connection = await aconnect(through)
            connection.close()
            its.release()

    async with asyncio.TaskGroup() as group:
        for its in logins:
            group.create_task(client(its))
        for turn in range(1, 21):
            for its in logins:
                while not its.locked():
                    await its.acquire()
            for its in logins:
                await taken(its, 2)  # nobody is still at a login of the turn before
            (tmp_path / "new").symlink_to(tmp_path / f"life-{turn % 2}")
            (tmp_path / "new").replace(tmp_path / "now")
            await asyncio.to_thread(server.sql, f"ALTER USER turning@'127.0.0.1' IDENTIFIED BY 'secret-{turn % 2}'")
        stop.set()
    assert "connection_refused" not in {each["event"] for each in through.events}


def test_the_file_may_run_ahead_of_the_server(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("old")
    server.sql("CREATE OR REPLACE USER ahead@'127.0.0.1' IDENTIFIED BY 'old'")
    through = ambassador(mysql_settings(dev=target(server, user="ahead", database=None, password_file=str(password))))
    through.ready()
    assert once(through, "SELECT 1") == ((1,),)
    password.write_text("new")
    with connect(through) as connection:  # the last good one is tried after the refusal, on another connection
        assert ask(connection, "SELECT CURRENT_USER()") == (("ahead@127.0.0.1",),)
        ((real,),) = ask(connection, "SELECT CONNECTION_ID()")
        assert real > connection.thread_id()
        with pytest.raises(pymysql.OperationalError, match="Unknown thread id"):
            connection.kill(connection.thread_id())  # nobody else is ever hit
    assert through.event("login_repeated")


def test_a_server_that_is_full_says_so_itself(
    make_mariadb: Make, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    full = make_mariadb("full", "--max-connections=10")
    settings = mysql_settings(dev=target(full))
    through = ambassador({**settings, "health": {"interval": "1h"}}).ready()
    through.event("target_up")
    taken: list[Any] = []

    def one_more() -> bool:
        """The server counts connections for a moment after their end, such as those that looked after it."""
        with contextlib.suppress(pymysql.OperationalError):
            taken.append(connect(through))
            return True
        return False

    for _ in range(10):
        until(one_more)
    late = ambassador({**settings, "health": {"interval": "1h"}}).ready()
    late.event("target_up")
    for full_through in (through, late):
        with pytest.raises(pymysql.OperationalError, match="Too many connections") as caught:
            connect(full_through)
        assert caught.value.args[0] == 1040
        assert "bug" not in {each["event"] for each in full_through.events}
    for each in taken:
        each.close()


@pytest.fixture
def pair(make_mariadb: Make) -> Iterator[tuple[Any, Any]]:
    """Two servers, of which the first is the primary, as far as `read_only` tells."""
    one, two = make_mariadb("one"), make_mariadb("two")
    two.sql("SET GLOBAL read_only = 1")
    yield one, two
    for each in (one, two):
        each.sql("SET GLOBAL read_only = 0")


@pytest.mark.parametrize(
    ("role", "name"), [("primary", "one"), ("replica", "two"), ("prefer-replica", "two"), ("any", "one")]
)
def test_the_server_with_the_wanted_role(
    pair: tuple[Any, Any], ambassador: Make, mysql_settings: Make, target: Make, role: str, name: str
) -> None:
    hosts = [each.address for each in pair]
    through = ambassador(mysql_settings(dev=target(pair[0], hosts=hosts, role=role))).ready()
    through.event("target_up")
    for _ in range(3):
        assert once(through, "SELECT name FROM environment") == ((name,),)


def test_a_primary_that_becomes_a_replica_is_left(
    pair: tuple[Any, Any], ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    one, two = pair
    settings = mysql_settings(dev=target(one, hosts=[one.address, two.address], role="primary"))
    through = ambassador({**settings, "health": {"interval": "100ms"}}).ready()
    old = connect(through)
    assert ask(old, "SELECT name FROM environment") == (("one",),)
    one.sql("SET GLOBAL read_only = 1")
    two.sql("SET GLOBAL read_only = 0")
    through.event("role_changed", server=one.address, role="replica")
    through.event("role_changed", server=two.address, role="primary")
    with pytest.raises(pymysql.OperationalError, match="is a replica now") as caught:
        ask(old, "SELECT 1")
    assert caught.value.args[0] == 1053
    assert once(through, "SELECT name FROM environment") == (("two",),)


async def test_fail_over_under_load(
    pair: tuple[Any, Any], ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    one, two = pair
    settings = mysql_settings(dev=target(one, hosts=[one.address, two.address], role="primary"))
    through = ambassador({**settings, "health": {"interval": "300ms"}}).ready()
    stop, refused = asyncio.Event(), []
    served = {"one": asyncio.Semaphore(0), "two": asyncio.Semaphore(0)}

    async def client() -> None:
        while not stop.is_set():
            try:
                connection = await aconnect(through)
            except pymysql.MySQLError as error:
                refused.append(error)
                continue
            try:
                async with connection.cursor() as cursor:
                    while not stop.is_set():
                        await cursor.execute("SELECT name FROM environment")
                        served[(await cursor.fetchone())[0]].release()
            except pymysql.MySQLError:
                pass  # its own session has ended
            finally:
                connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(client())
        await taken(served["one"], 100)
        await asyncio.to_thread(one.stop, kill=True)
        await asyncio.to_thread(two.sql, "SET GLOBAL read_only = 0")
        await taken(served["two"], 100)
        stop.set()
    assert refused == []
    await asyncio.to_thread(one.start)


@pytest.fixture
def two_environments(make_mariadb: Make, mysql_settings: Make, target: Make) -> dict[str, Any]:
    made: dict[str, Any] = mysql_settings(**{name: target(make_mariadb(name)) for name in ("dev", "two")})
    return made


def switch(through: Any, to: str) -> None:
    body = b'{"environment": "%s"}' % to.encode()
    with urllib.request.urlopen(f"http://{through.ops}/environment", body, timeout=WAIT_S) as answer:
        assert answer.status == 200


def test_idle_sessions_end_and_a_transaction_may_finish(two_environments: dict[str, Any], ambassador: Make) -> None:
    through = ambassador(two_environments).ready()
    idle, busy = connect(through), connect(through)
    busy.begin()
    ask(busy, "SELECT name FROM environment")
    switch(through, "two")
    with pytest.raises(pymysql.OperationalError, match="orders now leads to the environment two") as caught:
        ask(idle, "SELECT 1")
    assert caught.value.args[0] == 1053
    assert ask(busy, "SELECT name FROM environment") == (("dev",),)
    assert once(through, "SELECT name FROM environment") == (("two",),)
    busy.commit()
    with pytest.raises(pymysql.OperationalError):
        ask(busy, "SELECT 1")


def test_an_idle_session_is_told_so_that_its_next_command_reads_it(
    two_environments: dict[str, Any], ambassador: Make
) -> None:
    through = ambassador(two_environments).ready()
    idle = connect(through)
    switch(through, "two")
    sessions_gone(through)
    with pytest.raises(pymysql.OperationalError, match="orders now leads to the environment two"):
        ask(idle, "SELECT 1")


def test_the_deadline_ends_what_is_never_quiet(two_environments: dict[str, Any], ambassador: Make) -> None:
    through = ambassador({**two_environments, "switch": {"deadline": "300ms"}}).ready()
    busy = connect(through)
    busy.begin()
    ask(busy, "SELECT name FROM environment FOR UPDATE")
    switch(through, "two")
    through.event("sessions_cut", sessions=1)
    with pytest.raises(pymysql.OperationalError, match="orders now leads to the environment two"):
        ask(busy, "SELECT 1")


async def test_fifty_switches_under_load(two_environments: dict[str, Any], ambassador: Make) -> None:
    through = ambassador(two_environments).ready()
    stop, served = asyncio.Event(), asyncio.Event()
    ended, wanted = set(), ""

    async def client() -> None:
        while not stop.is_set():
            connection = await aconnect(through)
            first = ""
            try:
                async with connection.cursor() as cursor:
                    while not stop.is_set():
                        await cursor.execute("SELECT name FROM environment")
                        now = (await cursor.fetchone())[0]
                        assert now == (first := first or now), "a session straddles two environments"
                        if now == wanted:
                            served.set()
            except pymysql.OperationalError as error:
                ended.add(error.args[0])
            finally:
                connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(client())
        for turn in range(50):
            served.clear()
            wanted = ("two", "dev")[turn % 2]
            await asyncio.to_thread(switch, through, wanted)
            await served.wait()
        stop.set()
    assert ended == {1053}
    assert "connection_refused" not in {each["event"] for each in through.events}


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory, certificates: Any) -> Any:
    folder = tmp_path_factory.mktemp("mysql-certificates")
    folder.chmod(0o755)
    return certificates.Authority(folder)


@pytest.fixture
def encrypted(make_mariadb: Make, authority: Any) -> Any:
    def prepare(server: Any) -> tuple[str, ...]:
        files = (*authority.issue("server", "localhost"), authority.ca_file)
        for file in files:
            shutil.copy(file, server.directory)  # where the server's account may read them
            (server.directory / file.name).chmod(0o644)
        chain, key, ca = (server.directory / file.name for file in files)
        return f"--ssl-cert={chain}", f"--ssl-key={key}", f"--ssl-ca={ca}"

    server = make_mariadb("encrypted", prepare=prepare)
    server.sql("ALTER USER app@'127.0.0.1' REQUIRE SSL")
    return server


CIPHER = "SHOW STATUS LIKE 'Ssl_cipher'"


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-ca", "verify-full"])
def test_tls_to_the_server_and_none_to_the_app(
    encrypted: Any, authority: Any, ambassador: Make, mysql_settings: Make, target: Make, mode: str
) -> None:
    tls = {"mode": mode, **({"ca_file": str(authority.ca_file)} if "verify" in mode else {})}
    to = target(encrypted, hosts=[f"localhost:{encrypted.port}"], tls=tls)
    through = ambassador(mysql_settings(dev=to)).ready()
    with connect(through) as connection:
        assert ask(connection, CIPHER)[0][1]
        assert ask(connection, "SELECT CONNECTION_ID()") == ((connection.thread_id(),),)
        ((back,),) = ask(connection, "SELECT REPEAT('x', 3000000)")
        assert len(back) == 3_000_000


def test_without_tls_the_server_refuses_as_it_would_directly(
    encrypted: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    through = ambassador(mysql_settings(dev=target(encrypted))).ready()
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        connect(through)


def test_the_apps_own_login_under_tls(encrypted: Any, ambassador: Make, mysql_settings: Make, target: Make) -> None:
    to = target(encrypted, user=None, password_file=None, database=None, tls={"mode": "require"})
    through = ambassador(mysql_settings(dev=to)).ready()
    password = encrypted.password_file.read_bytes().strip()
    with connect(through, user="app", password=password) as connection:
        assert ask(connection, CIPHER)[0][1]
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        connect(through, user="app", password="wrong")


def test_a_name_that_is_not_certified(
    encrypted: Any, authority: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    to = target(encrypted, tls={"mode": "verify-full", "ca_file": str(authority.ca_file)})
    through = ambassador(mysql_settings(dev=to)).ready()
    with pytest.raises(pymysql.OperationalError, match=r"127\.0\.0\.1.*certificate verify failed") as caught:
        connect(through)
    assert caught.value.args[0] == 2026
    assert "certificate verify failed" in through.event("connection_refused", kind="tls")["reason"]


def test_a_server_without_tls(server: Any, ambassador: Make, mysql_settings: Make, target: Make) -> None:
    required = ambassador(mysql_settings(dev=target(server, tls={"mode": "require"}))).ready()
    with pytest.raises(pymysql.OperationalError, match="offers no TLS"):
        connect(required)
    preferred = ambassador(mysql_settings(dev=target(server, tls={"mode": "prefer"}))).ready()
    assert once(preferred, "SELECT 1") == ((1,),)


def test_the_numbers(server: Any, ambassador: Make, mysql_settings: Make, target: Make) -> None:
    through = ambassador(mysql_settings(dev=target(server))).ready()
    with connect(through) as connection:
        for _ in range(5):
            ask(connection, "SELECT 1")
        with pytest.raises(pymysql.ProgrammingError):
            ask(connection, "SELECT * FROM absent")
        with urllib.request.urlopen(f"http://{through.ops}/metrics", timeout=WAIT_S) as answer:
            metrics = answer.read().decode()
    assert 'dbproxy_sessions{listener="orders"} 1.0' in metrics
    assert 'dbproxy_errors_total{listener="orders",sqlstate_class="42"} 1.0' in metrics
    (transactions,) = (line for line in metrics.splitlines() if line.startswith("dbproxy_transactions_total"))
    assert float(transactions.split()[-1]) >= 6


async def test_new_connections_are_served_after_sigterm_until_the_app_has_gone(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    through = ambassador(mysql_settings(dev=target(server))).ready()
    first = await asyncio.to_thread(connect, through)
    through.process.terminate()
    await asyncio.to_thread(through.event, "stop_asked")
    second = await asyncio.to_thread(connect, through)
    assert ask(second, "SELECT 1") == ((1,),)
    first.close()
    second.close()
    assert await asyncio.to_thread(through.exit_status) == 0


def test_a_database_that_is_refused_is_told_in_the_servers_own_words(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    through = ambassador(mysql_settings(dev=target(server, database=None))).ready()
    with pytest.raises(pymysql.OperationalError) as caught:
        connect(through, database="absent")
    assert caught.value.args == (1044, "Access denied for user 'app'@'127.0.0.1' to database 'absent'")
