"""Fixtures: real Redis servers in directories of their own, stopped by the PID that was started."""

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.ambassador_dbproxy.clusters import free_port
from tests.ambassador_dbproxy.waiting import WAIT_S

START_S = 120.0
USER, PASSWORD, ROOT_PASSWORD = "app", "correct-horse=battery!stäple", "the-default-user's"


class Server:
    """One redis-server. The default user needs ROOT_PASSWORD, the user `app` may do everything with PASSWORD."""

    def __init__(self, name: str, **options: str) -> None:
        self.name = name
        self.options = options
        self.directory = Path(tempfile.mkdtemp(prefix="dbproxy-redis-"))
        self.password_file = self.directory / "app-password"
        self.password_file.write_text(PASSWORD + "\n")
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def root(self, **options: Any) -> "redis.Redis[bytes]":
        """A direct client that may do everything."""
        return redis.Redis(port=self.port, password=ROOT_PASSWORD, **options)

    def start(self, **options: str) -> "Server":
        for _ in range(5):
            self.port = self.port or free_port()
            settings = {
                "port": str(self.port),
                "bind": "127.0.0.1",
                "dir": str(self.directory),
                "unixsocket": str(self.directory / "redis.sock"),
                "save": "",
                "requirepass": ROOT_PASSWORD,
                **self.options,
                **options,
            }
            config = self.directory / "redis.conf"
            lines = [f'{name} "{value}"' for name, value in settings.items()]
            lines.append(f"user {USER} on >{PASSWORD} ~* &* +@all")
            config.write_text("\n".join(lines) + "\n")
            with (self.directory / "log").open("ab") as log:
                self.process = subprocess.Popen(["redis-server", str(config), *self._mode], stdout=log, stderr=log)
            if self._wait_until_up():
                return self
            self.port = 0  # somebody else was faster to take it
        raise AssertionError((self.directory / "log").read_text())

    _mode: tuple[str, ...] = ()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(START_S)
            self.process = None

    def destroy(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _wait_until_up(self) -> bool:
        assert self.process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), START_S) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(100):
                        return True
            except OSError:
                time.sleep(0.02)
        return False


@pytest.fixture(scope="session")
def make_server() -> Iterator[Callable[..., Server]]:
    """`make_server("dev")`: that server; the same one each time it is asked for, started again if it was stopped."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not on this machine")
    made: dict[str, Server] = {}

    def make(name: str = "dev", **options: str) -> Server:
        server = made.get(name) or made.setdefault(name, Server(name, **options))
        if server.process is None:
            server.start()
            with server.root() as root:
                root.set("environment", name)
        return server

    make.free_port = free_port  # type: ignore[attr-defined]
    yield make
    for server in made.values():
        server.destroy()


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    """The server `dev`."""
    return make_server("dev")


@pytest.fixture(scope="session")
def target() -> Callable[..., dict[str, Any]]:
    """`target(server)`: the settings of an environment that leads to it with its credentials."""

    def make(server: Server, **changes: Any) -> dict[str, Any]:
        settings = {"hosts": [server.address], "user": USER, "password_file": str(server.password_file), **changes}
        return {name: value for name, value in settings.items() if value is not None}

    return make


@pytest.fixture(scope="session")
def redis_settings() -> Callable[..., dict[str, Any]]:
    """`redis_settings(dev=target(...))`: one listener on a free port."""

    def make(limits: dict[str, Any] | None = None, **environments: dict[str, Any]) -> dict[str, Any]:
        listener = {
            "name": "cache",
            "listen": "127.0.0.1:0",
            "protocol": "redis",
            "environments": environments,
            "limits": limits or {},
        }
        return {"environment": next(iter(environments)), "listeners": [listener]}

    return make


@pytest.fixture
def status() -> Callable[[Any], Any]:
    """`status(ambassador)`: the facts about its listener, without the cost of a command."""

    def ask(through: Any) -> Any:
        with urllib.request.urlopen(f"http://{through.ops}/status", timeout=WAIT_S) as answer:
            return json.loads(answer.read())["listeners"][0]

    return ask


@pytest.fixture
def through(server: Server, ambassador: Any, redis_settings: Any, target: Any) -> Any:
    """An ambassador that leads to the server `dev` and logs in there."""
    return ambassador(redis_settings(dev=target(server))).ready()
