"""Growth over connections: what idle sessions weigh in the ambassador, and what a query costs among many of them."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import command, machine, proxies
from benchmarks.outcome import Demand, Peer, Row, bound, row
from benchmarks.processes import Pinned
from benchmarks.proxies import AMBASSADOR, Way

CONNECTIONS = "sessions: number of connections"
IDLE = "idle sessions"
SIZES = (1, 10, 100, 500, 1000, 2000)
QUICK_SIZES = (1, 50)
TLS_SESSIONS = 400
QUICK_TLS_SESSIONS = 20
QUERIES = 10_000
QUICK_QUERIES = 500
TIMES = 5  # of which the median counts: a fifth of a second of CPU time is the neighbours' as much as one's own
IN_FLIGHT = 8
"""The same everywhere but with a single connection, since a proxy works more for each message when there is but one."""
SETTLED_S = 0.3
MOST_KIB = {"plain": 16.0, "over TLS": 96.0}
MOST_MIB = 96.0


class Sessions(Pinned):
    """The process of `benchmarks.sessions`; `certificate` if the server speaks TLS."""

    def __init__(self, core: int, directory: Path, certificate: str = "") -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        arguments = [certificate] if certificate else []
        super().__init__(
            "sessions", [sys.executable, "-m", "benchmarks.sessions", *arguments], core, directory, **pipes
        )
        self.port = int(self._answer())

    def tell(self, words: str) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(words.encode() + b"\n")
        self.process.stdin.flush()
        return int(self._answer())

    def _answer(self) -> bytes:
        assert self.process.stdout is not None
        line: bytes = self.process.stdout.readline()
        if not line:
            self.process.wait(10)
        self.check()
        return line

    def stop(self) -> None:
        super().stop()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def measure(quick: bool) -> tuple[list[Row], list[Demand], list[Peer]]:
    plain, peers = _plain(quick)
    rows = [*plain, *_encrypted(quick)]
    demands = [
        *bound(rows, IDLE, f"{AMBASSADOR}, plain", "session_kib", MOST_KIB["plain"], at_least=False),
        *bound(rows, IDLE, f"{AMBASSADOR}, plain", "peak_mib", MOST_MIB, at_least=False),
        *bound(rows, IDLE, f"{AMBASSADOR}, over TLS", "session_kib", MOST_KIB["over TLS"], at_least=False),
    ]
    return rows, demands, peers


def _plain(quick: bool) -> tuple[list[Row], list[Peer]]:
    """The ambassador and HAProxy, each with more and more sessions that stay open."""
    core, other = machine.cores()
    sizes, queries = (QUICK_SIZES, QUICK_QUERIES) if quick else (SIZES, QUERIES)
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-growth-")))
        sessions = stack.enter_context(Sessions(other, directory))
        ways = stack.enter_context(proxies.Ways(sessions.port, directory, core))
        ways.add_ambassador("postgres")
        ways.add_peers([proxies.HAPROXY])
        for way in ways.found.values():
            if way.process is not None:
                rows += _grow(way, sessions, sizes, queries)
    return rows, ways.peers


def _grow(way: Way, sessions: Sessions, sizes: Sequence[int], queries: int) -> Iterator[Row]:
    assert way.process is not None
    sessions.tell(f"open {way.port} 1")
    sessions.tell(f"ask {way.port} 200 1")
    first = 0.0
    for size in sizes:
        opened = sessions.tell(f"open {way.port} {size}")
        time.sleep(SETTLED_S)
        resident = machine.memory(way.process.pid).resident
        first = first or resident
        answered, costs_us = 0, []
        for _ in range(TIMES):
            before = machine.fine_cpu_s(way.process.pid)
            answered += sessions.tell(f"ask {way.port} {queries} {IN_FLIGHT}")
            costs_us.append((machine.fine_cpu_s(way.process.pid) - before) / queries * 1e6)
        figures = {"cpu_us": statistics.median(costs_us), "idle_mib": resident}
        arrived = answered if opened == size else 0
        ours = way.name == AMBASSADOR
        yield row(CONNECTIONS, way.name, figures, ours=ours, arrived=arrived, expected=TIMES * queries, size=size)
        command.progress(f"{CONNECTIONS} {size}: {way.name} {figures['cpu_us']:.1f} µs, {resident:.1f} MiB")
    each = (resident - first) * 1024 / max(1, sizes[-1] - sizes[0])
    yield _idle(f"{way.name}, plain", each, machine.memory(way.process.pid).peak, ours=way.name == AMBASSADOR)
    sessions.tell(f"close {way.port}")


def _encrypted(quick: bool) -> Iterator[Row]:
    """The ambassador with sessions that are TLS towards the server."""
    core, other = machine.cores()
    count = QUICK_TLS_SESSIONS if quick else TLS_SESSIONS
    with tempfile.TemporaryDirectory(prefix="bench-growth-") as name:
        directory = Path(name)
        made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "9", "-subj", "/CN=localhost", "-keyout", name + "/pem", "-out", name + "/crt"]  # fmt: skip
        subprocess.run(made, check=True, capture_output=True)
        certificate = directory / "both.pem"
        certificate.write_text((directory / "pem").read_text() + (directory / "crt").read_text())
        with Sessions(other, directory, str(certificate)) as sessions:
            way = proxies.ambassador(sessions.port, directory, core, "postgres", tls=True)
            assert way.process is not None
            with way.process:
                few = count // 10
                sessions.tell(f"open {way.port} {few}")
                time.sleep(SETTLED_S)
                first = machine.memory(way.process.pid).resident
                opened = sessions.tell(f"open {way.port} {count}")
                time.sleep(SETTLED_S)
                memory = machine.memory(way.process.pid)
                sessions.tell(f"close {way.port}")  # the ambassador waits for open sessions when it ends
                each = (memory.resident - first) * 1024 / max(1, opened - few)
                yield _idle(f"{AMBASSADOR}, over TLS", each, memory.peak, ours=True)
                command.progress(f"{IDLE}: {opened} over TLS, {each:.1f} KiB each")


def _idle(name: str, each_kib: float, peak_mib: float, *, ours: bool) -> Row:
    return row(IDLE, name, {"session_kib": each_kib, "peak_mib": peak_mib}, ours=ours)
