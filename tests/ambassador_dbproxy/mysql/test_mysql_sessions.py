"""A session through the ambassador is like a direct one, but for the credentials: a real MariaDB, real drivers."""

import asyncio
import hashlib
import select
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiomysql
import pymysql
import pymysql.cursors
import pytest
from pymysql.constants import CLIENT, CR

from tests.ambassador_dbproxy.waiting import WAIT_S, until

Make = Callable[..., Any]


@pytest.fixture
def connect(through: Any) -> Iterator[Make]:
    """`connect(**options)`: a connection of PyMySQL through the ambassador, closed at the end."""
    made: list[Any] = []

    def make(**options: Any) -> Any:
        options = {"user": "whoever", "password": "whatever", "database": "anywhere", **options}
        made.append(pymysql.connect(host="127.0.0.1", port=through.port, **options))
        return made[-1]

    yield make
    for each in made:
        if each.open:
            each.close()


def ask(connection: Any, sql: str, *arguments: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments or None)
        return cursor.fetchall()


def client(program: str, through: Any, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on this machine")
    command = [program, "--no-defaults", "-h127.0.0.1", f"-P{through.port}", "-uwhoever", "-pwhatever", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"password": ""},
        {"user": "root", "password": "wrong"},
        {"database": None},
        {"charset": "latin1"},
        {"auth_plugin_map": {}, "program_name": "shop"},
    ],
)
def test_the_environments_login_whatever_the_apps(connect: Make, options: dict[str, Any]) -> None:
    connection = connect(**options)
    assert ask(connection, "SELECT CURRENT_USER(), DATABASE()") == (("app@127.0.0.1", "orders"),)
    assert ask(connection, "SELECT CONNECTION_ID()") == ((connection.thread_id(),),)
    assert "MariaDB" in connection.get_server_info()


def test_without_a_database_of_the_environment_the_app_chooses(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    through = ambassador(mysql_settings(dev=target(server, database=None))).ready()
    for database in ("elsewhere", None):
        with pymysql.connect(host="127.0.0.1", port=through.port, user="x", database=database) as connection:
            assert ask(connection, "SELECT DATABASE()") == ((database,),)


def test_what_the_app_says_of_itself_is_passed_on(connect: Make, server: Any) -> None:
    connection = connect(program_name="shop", charset="latin1", init_command="SET @x = 7", autocommit=False)
    assert ask(connection, "SELECT @@character_set_client, @x, @@autocommit") == (("latin1", 7, 0),)
    if server.sql("SELECT @@performance_schema") == [(1,)]:
        seen = server.sql(
            "SELECT attr_value FROM performance_schema.session_connect_attrs WHERE attr_name LIKE '%name'"
        )
        assert ("shop",) in seen


def test_errors_keep_number_sqlstate_and_text(connect: Make) -> None:
    connection = connect()
    with pytest.raises(pymysql.ProgrammingError, match=r"Table 'orders\.absent' doesn't exist") as caught:
        ask(connection, "SELECT * FROM absent")
    assert caught.value.args[0] == 1146
    with pytest.raises(pymysql.OperationalError) as caught:
        ask(connection, "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1644, MESSAGE_TEXT = 'ours'")
    assert caught.value.args == (1644, "ours")
    assert ask(connection, "SELECT 1") == ((1,),)


def test_sqlstate_as_the_command_line_shows_it(through: Any) -> None:
    done = client("mariadb", through, "-e", "SELECT * FROM absent", "anywhere")
    assert done.returncode == 1
    assert "ERROR 1146 (42S02) at line 1: Table 'orders.absent' doesn't exist" in done.stderr


def test_transactions_and_several_statements_at_once(connect: Make) -> None:
    one, two = connect(client_flag=CLIENT.MULTI_STATEMENTS), connect(autocommit=True)
    ask(two, "CREATE OR REPLACE TABLE t (a INT PRIMARY KEY) ENGINE=InnoDB")
    one.begin()
    ask(one, "INSERT INTO t VALUES (1)")
    assert ask(two, "SELECT * FROM t") == ()
    one.commit()
    assert ask(two, "SELECT * FROM t") == ((1,),)
    one.begin()
    ask(one, "INSERT INTO t VALUES (2)")
    one.rollback()
    with one.cursor() as cursor:
        cursor.execute("SELECT 1; UPDATE t SET a = 3; SELECT a FROM t")
        results = [list(cursor.fetchall())]
        while cursor.nextset():
            results.append(list(cursor.fetchall()))
    assert results == [[(1,)], [], [(3,)]]


def test_rows_without_end_do_not_pile_up_and_can_be_left(connect: Make) -> None:
    connection = connect(cursorclass=pymysql.cursors.SSCursor)
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq, REPEAT('x', 1000) FROM seq_1_to_20000")
        assert cursor.fetchone()[0] == 1
        assert sum(1 for _ in cursor) == 19999


@pytest.mark.parametrize("size", [(1 << 24) - 20, (1 << 24) - 1, 1 << 24, (1 << 25) + 5])
def test_packets_around_sixteen_mebibytes(connect: Make, size: int) -> None:
    connection = connect(max_allowed_packet=1 << 26)
    blob = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    ((length, digest, back),) = ask(connection, "SELECT LENGTH(x), MD5(x), x FROM (SELECT _binary %s AS x) y", blob)
    assert (length, digest) == (size, hashlib.md5(blob).hexdigest())
    assert back == blob
    assert ask(connection, "SELECT 1") == ((1,),)


def test_load_data_local(connect: Make, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(f"{n},name {n}\n" for n in range(200_000)))
    connection = connect(local_infile=True, autocommit=True)
    ask(connection, "CREATE OR REPLACE TABLE loaded (n INT, name VARCHAR(40))")
    ask(connection, f"LOAD DATA LOCAL INFILE '{rows}' INTO TABLE loaded FIELDS TERMINATED BY ','")
    assert ask(connection, "SELECT COUNT(*), SUM(n) FROM loaded") == ((200_000, 19_999_900_000),)
    with pytest.raises(pymysql.MySQLError):
        ask(connection, f"LOAD DATA LOCAL INFILE '{tmp_path / 'absent'}' INTO TABLE loaded")


def test_kill_by_the_thread_id_that_the_driver_knows(connect: Make) -> None:
    victim, killer = connect(), connect()
    caught: list[BaseException] = []

    def sleep() -> None:
        try:
            ask(victim, "SELECT SLEEP(60)")
        except pymysql.MySQLError as error:
            caught.append(error)

    sleeping = threading.Thread(target=sleep)
    sleeping.start()
    until(lambda: ask(killer, "SELECT 1 FROM information_schema.processlist WHERE info = 'SELECT SLEEP(60)'"))
    killer.kill(victim.thread_id())
    sleeping.join(WAIT_S)
    assert not sleeping.is_alive()
    assert [type(each) for each in caught] == [pymysql.OperationalError]


def test_a_session_that_timed_out_is_found_as_directly(connect: Make, server: Any) -> None:
    """Error 2006: nothing has been done, so that drivers which reconnect by themselves do."""
    directly = pymysql.connect(host="127.0.0.1", port=server.port, user="open")
    through = connect()
    numbers = []
    for connection in (directly, through):
        ask(connection, "SET wait_timeout = 1")
        readable, _, _ = select.select([connection._sock], [], [], WAIT_S)
        assert readable
        with pytest.raises(pymysql.err.OperationalError) as raised:
            ask(connection, "SELECT 1")
        numbers.append(raised.value.args[0])
    assert numbers == [CR.CR_SERVER_GONE_ERROR] * 2


def test_an_app_that_dies_in_mid_query_leaves_nothing_running(through: Any, connect: Make) -> None:
    watcher = connect()
    dying = pymysql.connect(host="127.0.0.1", port=through.port, user="x")
    dying._read_timeout = 1  # not for the login
    running = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(%%' AND id = %s"
    with pytest.raises(pymysql.OperationalError):
        ask(dying, "SELECT SLEEP(59)")
    until(lambda: not ask(watcher, running, dying.thread_id()))
    alive = "SELECT 1 FROM information_schema.processlist WHERE id = %s"
    until(lambda: not ask(watcher, alive, dying.thread_id()))


def test_an_app_that_is_killed_in_mid_query_leaves_nothing_running(through: Any, connect: Make) -> None:
    """It leaves no more than an end-of-file, as one that only half closes does."""
    watcher = connect()
    running = "SELECT 1 FROM information_schema.processlist WHERE info = 'SELECT SLEEP(600)'"
    command = ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{through.port}", "-uwhoever", "-eSELECT SLEEP(600)"]
    if shutil.which(command[0]) is None:
        pytest.skip("mariadb is not on this machine")
    with subprocess.Popen(command) as app:
        until(lambda: ask(watcher, running))
        app.kill()
    until(lambda: not ask(watcher, running))


def test_many_cursors_of_the_command_line_and_a_dump_that_comes_back(through: Any, server: Any) -> None:
    server.sql(
        "CREATE DATABASE IF NOT EXISTS dumped",
        "USE orders",
        "GRANT ALL ON dumped.* TO app@'127.0.0.1'",
        "CREATE OR REPLACE TABLE orders.big AS SELECT seq AS n, REPEAT(CHAR(seq % 256 USING latin1), 500) AS t "
        "FROM seq_1_to_5000",
    )
    dumped = client("mariadb-dump", through, "--hex-blob", "--single-transaction", "orders", "big")
    assert (dumped.returncode, dumped.stderr) == (0, "")
    loaded = client("mariadb", through, stdin=f"USE dumped;\n{dumped.stdout}")
    assert (loaded.returncode, loaded.stderr) == (0, "")
    sums = [server.sql(f"CHECKSUM TABLE {name}.big")[0][1] for name in ("orders", "dumped")]
    assert sums[0] == sums[1]


def test_the_binary_log_as_a_replica_reads_it(
    make_mariadb: Make, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    logged = make_mariadb("logged", "--log-bin=log", "--server-id=1")
    logged.sql("GRANT REPLICATION SLAVE ON *.* TO app@'127.0.0.1'", "CREATE TABLE orders.written (a INT)")
    through = ambassador(mysql_settings(dev=target(logged))).ready()
    done = client("mariadb-binlog", through, "--read-from-remote-server", "log.000001")
    assert (done.returncode, done.stderr) == (0, "")
    assert "CREATE TABLE orders.written" in done.stdout


class Raw:
    """A client that speaks packets, for what PyMySQL has no words for."""

    def __init__(self, port: int) -> None:
        self.pymysql = pymysql.connect(host="127.0.0.1", port=port, user="x", database="y", autocommit=True)

    def command(self, body: bytes) -> None:
        self.pymysql._next_seq_id = 0
        self.pymysql.write_packet(body)

    def packet(self) -> bytes:
        return bytes(self.pymysql._read_packet().get_all_data())


@pytest.fixture
def raw(through: Any) -> Iterator[Raw]:
    it = Raw(through.port)
    yield it
    it.pymysql.close()


def test_prepared_statements_in_the_binary_protocol(raw: Raw) -> None:
    raw.command(b"\x16SELECT CAST(? AS SIGNED) + 1, REPEAT('x', 300)")
    head = raw.packet()
    statement, columns, parameters = head[1:5], head[5:7], head[7:9]
    assert (columns, parameters) == (b"\2\0", b"\1\0")
    for _ in range(1 + 1 + 2 + 1):  # the parameter, the columns, and an end mark after each
        raw.packet()
    for value in (41, -7):
        execute = b"\x17" + statement + b"\0\1\0\0\0" + b"\0\1\x08\0" + value.to_bytes(8, "little", signed=True)
        raw.command(execute)
        assert raw.packet() == b"\2"
        for _ in range(3):
            raw.packet()
        row = raw.packet()
        assert row[2:10] == (value + 1).to_bytes(8, "little", signed=True)
        assert raw.packet()[:1] == b"\xfe"
    raw.command(b"\x19" + statement)  # close: it has no response
    raw.command(b"\x0e")
    assert raw.packet()[:1] == b"\0"


NATIVE, SHA2 = b"mysql_native_password\0", b"caching_sha2_password\0"


@pytest.mark.parametrize("plugin", [NATIVE, SHA2])
def test_a_change_of_user_becomes_the_environments(raw: Raw, server: Any, plugin: bytes) -> None:
    server.sql("CREATE OR REPLACE TEMPORARY TABLE mysql.x (a INT)")
    ask(raw.pymysql, "SET @mine = 1")
    raw.command(b"\x11somebody\0\x14" + b"p" * 20 + b"elsewhere\0\x2d\0" + plugin)
    answer = raw.packet()
    if plugin == SHA2:
        assert answer.startswith(b"\xfe" + NATIVE)
        raw.pymysql.write_packet(b"whatever")
        answer = raw.packet()
    assert answer[:1] == b"\0"
    state = ask(raw.pymysql, "SELECT CURRENT_USER(), DATABASE(), @mine, CONNECTION_ID()")
    assert state == (("app@127.0.0.1", "orders", None, raw.pymysql.thread_id()),)
    raw.command(b"\x11again\0\0x\0\x2d\0" + NATIVE)
    assert raw.packet()[:1] == b"\0"
    assert ask(raw.pymysql, "SELECT 1") == ((1,),)


def test_a_reset_of_the_connection_keeps_the_environments_login(connect: Make) -> None:
    connection = connect()
    ask(connection, "SET @forgotten = 1")
    ask(connection, "CREATE TEMPORARY TABLE forgotten (a INT)")
    connection._execute_command(31, b"")
    connection._read_ok_packet()
    assert ask(connection, "SELECT @forgotten, CURRENT_USER(), DATABASE()") == ((None, "app@127.0.0.1", "orders"),)
    assert ask(connection, "SELECT CONNECTION_ID()") == ((connection.thread_id(),),)


def test_commands_pipelined_around_a_change_of_user(raw: Raw) -> None:
    def framed(body: bytes) -> bytes:
        return len(body).to_bytes(3, "little") + b"\0" + body

    change = b"\x11somebody\0\0x\0\x2d\0" + NATIVE
    stream = framed(b"\x0e") + framed(b"\x03DO SLEEP(0.05)") + framed(change) + framed(b"\x0e")
    for at in range(0, len(stream), 7):
        raw.pymysql._sock.sendall(stream[at : at + 7])
    for _ in range(4):
        raw.pymysql._next_seq_id = 1
        assert raw.packet()[:1] == b"\0"


def test_a_change_of_user_that_the_server_refuses_ends_the_session(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text(server.password_file.read_text())
    through = ambassador(mysql_settings(dev=target(server, password_file=str(password)))).ready()
    raw = Raw(through.port)
    password.write_text("not any more")
    raw.command(b"\x11somebody\0\0x\0\x2d\0" + NATIVE)
    with pytest.raises(pymysql.OperationalError, match="Access denied for user 'app'"):
        raw.packet()
    assert through.event("change_user_refused")
    raw.pymysql.close()
    assert "not any more" not in through.raw


async def test_aiomysql(through: Any) -> None:
    pool = await aiomysql.create_pool(
        host="127.0.0.1", port=through.port, user="x", password="y", db="z", minsize=1, maxsize=8, autocommit=True
    )

    async def work(n: int) -> int:
        async with pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute("SELECT %s + SLEEP(0.01)", (n,))
            return int((await cursor.fetchone())[0])

    assert await asyncio.gather(*(work(n) for n in range(40))) == list(range(40))
    pool.close()
    await pool.wait_closed()


@pytest.mark.parametrize("user", ["open", "app"])
def test_without_a_user_the_apps_own_login_passes_through(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make, user: str
) -> None:
    nobody = {"user": None, "password_file": None}
    through = ambassador(mysql_settings(dev=target(server, database=None, **nobody))).ready()
    password = server.password_file.read_bytes().strip() if user == "app" else b""
    options: dict[str, Any] = {"host": "127.0.0.1", "port": through.port, "user": user, "database": "orders"}
    with pymysql.connect(password=password, **options) as connection:
        assert ask(connection, "SELECT CURRENT_USER(), DATABASE()") == ((f"{user}@127.0.0.1", "orders"),)
        assert ask(connection, "SELECT CONNECTION_ID()") == ((connection.thread_id(),),)
    with pytest.raises(pymysql.OperationalError, match=r"Access denied for user .*\(using password: YES\)"):
        pymysql.connect(password="wrong", **options)
    assert through.event("connection_refused", kind="login")


def test_a_database_of_the_environment_for_the_apps_own_login(
    server: Any, ambassador: Make, mysql_settings: Make, target: Make
) -> None:
    through = ambassador(mysql_settings(dev=target(server, user=None, password_file=None))).ready()
    for database in ("nowhere", None):
        with pymysql.connect(host="127.0.0.1", port=through.port, user="open", database=database) as connection:
            assert ask(connection, "SELECT DATABASE()") == (("orders",),)


def test_an_app_that_half_closes_still_gets_its_answer(through: Any) -> None:
    connection = pymysql.connect(host="127.0.0.1", port=through.port, user="x")
    body = b"\x03SELECT SLEEP(0.2), 'the answer'"
    connection._sock.sendall(len(body).to_bytes(3, "little") + b"\0" + body)
    connection._sock.shutdown(socket.SHUT_WR)
    received = b""
    while piece := connection._rfile.read(1):
        received += piece
        if b"the answer" in received and received.endswith(b"\xfe\0\0\2\0"):
            break
    assert b"the answer" in received
    connection._force_close()


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01" + b"x" * 60, b"\xff" * 100, b"\x05\0\0\1\0\0\0\0\0"],
)
def test_what_is_not_mysql_is_told_so(through: Any, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
        assert b"mysql_native_password" in sock.recv(1000)
        sock.sendall(said)
        answer = b""
        while piece := sock.recv(1000):
            answer += piece
    assert answer[4:7] == b"\xff\x13\x04"  # 1043
    assert answer[7:13] == b"#08S01"
    assert through.event("connection_refused", kind="protocol")


def test_compression_is_not_offered_and_not_taken_without_an_offer(through: Any, connect: Make) -> None:
    done = client("mariadb", through, "--compress", "-N", "-e", "SELECT variable_value FROM "
                  "information_schema.session_status WHERE variable_name = 'Compression'")  # fmt: skip
    assert (done.stdout, done.stderr) == ("OFF\n", "")
    with pytest.raises(pymysql.OperationalError, match="asks for compression, which was not offered") as caught:
        connect(client_flag=CLIENT.COMPRESS)
    assert caught.value.args[0] == 1043


def test_visits_without_a_login_are_not_held_against_the_host(through: Any, server: Any, connect: Make) -> None:
    aborted = "SHOW GLOBAL STATUS LIKE 'Aborted_connects_preauth'"
    before = server.sql(aborted)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", through.port), WAIT_S) as sock:
            assert sock.recv(1000)
    assert ask(connect(), "SELECT 1") == ((1,),)
    until(lambda: len(server.sql("SHOW PROCESSLIST")) <= 3)
    assert server.sql(aborted) == before
    assert "connection_refused" not in {each["event"] for each in through.events}
