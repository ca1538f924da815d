"""Real servers in temporary directories and on free ports, and what the adapter makes of what they logged."""

import contextlib
import json
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter_logformat.pipeline import Options, Stream
from podmates import ports

WAIT_S = 60.0
Record = dict[str, Any]


def free_port() -> int:
    """One that no connection is given while its server is not there yet."""
    return ports.free_port(random.Random())


def program(name: str, package: str, *places: str) -> str:
    """The path of an installed program; the test is skipped, by its name, where it is missing."""
    found = shutil.which(name, path=":".join((*places, "/usr/sbin", "/usr/bin", "/usr/local/bin")))
    if found is None:
        pytest.skip(f"needs {name} (Debian package {package})")
    return found


def wait(told: Callable[[], object], why: str = "waited too long") -> None:
    """Until it holds; a test never sleeps for a fixed time to decide."""
    deadline = time.monotonic() + WAIT_S
    while not told():
        assert time.monotonic() < deadline, why
        time.sleep(0.02)


def listens(port: int, host: str = "127.0.0.1") -> bool:
    try:
        with socket.create_connection((host, port), WAIT_S):
            return True
    except OSError:
        return False


def exchange(port: int, data: bytes, host: str = "127.0.0.1") -> tuple[bytes, int]:
    """Sends `data`, reads to the end; the answer, and the client's own port."""
    with socket.create_connection((host, port), WAIT_S) as sock:
        own = int(sock.getsockname()[1])
        sock.sendall(data)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                answer += piece
        return answer, own


def read(path: Path, zone: str = "UTC") -> list[Record]:
    """The records of a whole log, the format detected."""
    stream = Stream(Options(zone=zone))
    now = time.time_ns()
    return [json.loads(line) for line in (stream.feed(path.read_bytes(), now) + stream.flush(now)).splitlines()]


class Servers:
    """Starts processes and ends those that it started."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, command: list[str], log: Path, **options: Any) -> "subprocess.Popen[bytes]":
        with log.open("ab") as file:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, **options)
        self._started.append(process)
        return process

    def stop(self, process: "subprocess.Popen[bytes]") -> None:
        process.terminate()
        process.wait(WAIT_S)

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(WAIT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
