"""Which drivers' own tests are run, as their authors ship them, and how each is told where its database is."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """Where a suite finds its database, and as whom it is to log in."""

    port: int
    socket: str
    user: str
    password: str

    def url(self, scheme: str, path: str) -> str:
        login = f"{self.user}:{self.password}@" if self.user else ""
        return f"{scheme}://{login}127.0.0.1:{self.port}/{path}"


def _no_environment(place: Place) -> Mapping[str, str]:
    return {}


def _no_files(place: Place) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Suite:
    """One driver's tests: a source distribution, and pytest's arguments inside it.

    `tests_of` is the version whose tests these are, where the newest ones are not shipped. `without` are folders that
    would hide the installed driver. `requires` is installed beside it.
    """

    package: str
    protocol: str
    arguments: Callable[[Place], Sequence[str]]
    environment: Callable[[Place], Mapping[str, str]] = _no_environment
    files: Callable[[Place], Mapping[str, str]] = _no_files
    tests_of: str = ""
    without: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


def _postgres(place: Place) -> Mapping[str, str]:
    return {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(place.port),
        "PGUSER": place.user,
        "PGPASSWORD": place.password,
        "PGDATABASE": "postgres",
    }


def _psycopg2(place: Place) -> Mapping[str, str]:
    login = f"host=127.0.0.1 port={place.port} user={place.user} password={place.password}"
    return _postgres(place) | {
        "PSYCOPG2_TESTDB": "psycopg2_test",
        "PSYCOPG2_TEST_REPL_DSN": f"{login} dbname=psycopg2_test",
    }


def _pymysql_databases(place: Place) -> Mapping[str, str]:
    login = {"host": "127.0.0.1", "port": place.port, "user": place.user, "passwd": place.password}
    login |= {"use_unicode": True, "local_infile": True}
    return {"pymysql/tests/databases.json": json.dumps([{**login, "db": "test1"}, {**login, "db": "test2"}])}


def _mysqlclient_defaults(place: Place) -> Mapping[str, str]:
    lines = ["[MySQLdb-tests]", "host = 127.0.0.1", f"port = {place.port}", f"user = {place.user}"]
    lines += [f"password = {place.password}", "database = test", "default-character-set = utf8mb4"]
    return {"tests/default.cnf": "\n".join(lines) + "\n"}


def _mariadb(place: Place) -> Mapping[str, str]:
    return {
        "TEST_DB_HOST": "127.0.0.1",
        "TEST_DB_PORT": str(place.port),
        "TEST_DB_USER": place.user,
        "TEST_DB_PASSWORD": place.password,
        "TEST_DB_DATABASE": "test",
    }


def _aiomysql(place: Place) -> Sequence[str]:
    # Over TCP these tests insist on TLS to the server that they talk with.
    return ["tests", f"--mysql-unix-socket={place.socket}"]


_REDIS = (
    "commands connection connection_pool encoding function hash keyspace_notifications lock monitor multiprocessing "
    "pipeline pubsub scripting"
)
_REDIS_ASYNCIO = "commands connection connection_pool encoding hash lock monitor pipeline pubsub scripting"


def _redis(place: Place) -> Sequence[str]:
    # What talks with a server; the others need none, or modules, a cluster, a cloud or TLS of the server.
    files = [f"tests/test_{each}.py" for each in _REDIS.split()]
    files += [f"tests/test_asyncio/test_{each}.py" for each in _REDIS_ASYNCIO.split()]
    url = place.url("redis", "0")
    return [*files, f"--redis-url={url}", "-m", "not redismod and not onlycluster and not ssl", "-o", "addopts="]


def _sqlalchemy(scheme: str, dialect: str) -> Callable[[Place], Sequence[str]]:
    def arguments(place: Place) -> Sequence[str]:
        database = "test?charset=utf8mb4" if dialect == "mysql" else "test"
        return [
            "test/dialect/test_suite.py",
            f"test/dialect/{dialect}",
            "test/engine",
            f"--dburi={place.url(scheme, database)}",
            "--maxfail=100000",
        ]

    return arguments


def _sqlalchemy_with(scheme: str, driver: str) -> Suite:
    dialect = scheme.partition("+")[0]
    return Suite(
        "sqlalchemy",
        {"postgresql": "postgres"}.get(dialect, dialect),
        _sqlalchemy(scheme, dialect),
        requires=(driver, "greenlet", "pytest-xdist"),
    )


SUITES = {
    "psycopg2": Suite("psycopg2", "postgres", lambda _: ["tests"], _psycopg2, requires=("psycopg2-binary",)),
    "asyncpg": Suite(
        "asyncpg",
        "postgres",
        lambda _: ["tests", "--ignore=tests/test__sourcecode.py"],
        _postgres,
        without=("asyncpg",),
        requires=("uvloop", "distro"),
    ),
    "pg8000": Suite("pg8000", "postgres", lambda _: ["test"], _postgres, requires=("pytz",)),
    "pygresql": Suite("pygresql", "postgres", lambda _: ["tests"], _postgres, without=("pg", "pgdb")),
    "pymysql": Suite(
        "pymysql", "mysql", lambda _: ["pymysql/tests"], files=_pymysql_databases, tests_of="0.10.1", requires=()
    ),
    "aiomysql": Suite(
        "aiomysql",
        "mysql",
        _aiomysql,
        lambda place: {"MYSQL_ROOT_PASSWORD": place.password},
        requires=("uvloop", "sqlalchemy<1.4"),
    ),
    "mysqlclient": Suite("mysqlclient", "mysql", lambda _: ["tests"], files=_mysqlclient_defaults),
    "mariadb": Suite("mariadb", "mysql", lambda _: ["testing/test/integration"], _mariadb, without=("mariadb",)),
    "redis": Suite("redis", "redis", _redis, requires=("redis[circuit-breaker,jwt,ocsp,otel]", "numpy", "mock")),
    "sqlalchemy-psycopg": _sqlalchemy_with("postgresql+psycopg", "psycopg[binary]"),
    "sqlalchemy-psycopg-async": _sqlalchemy_with("postgresql+psycopg_async", "psycopg[binary]"),
    "sqlalchemy-asyncpg": _sqlalchemy_with("postgresql+asyncpg", "asyncpg"),
    "sqlalchemy-pymysql": _sqlalchemy_with("mysql+pymysql", "pymysql"),
    "sqlalchemy-aiomysql": _sqlalchemy_with("mysql+aiomysql", "aiomysql"),
}
