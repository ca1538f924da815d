"""What is counted, and how it becomes `dbproxy_` metrics: plain integers while bytes flow, folded in when scraped.

Label values come from settings or from fixed lists, never from what a peer sends.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ambassador_dbproxy.refusal import Reason
from ambassador_dbproxy.server import Health, Role, Server

# fmt: off
SQLSTATE_CLASSES = (
    "08", "0A", "21", "22", "23", "25", "26", "28", "34", "3D", "3F", "40", "42", "44", "53", "54", "55", "57", "58",
    "P0", "XX", "other",
)
# fmt: on
_KNOWN_CLASSES = frozenset(SQLSTATE_CLASSES)
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def sqlstate_class(sqlstate: str) -> str:
    """The class of an SQLSTATE if it is one of SQLSTATE_CLASSES, else `other`: the label's cap."""
    found = sqlstate[:2]
    return found if found in _KNOWN_CLASSES else "other"


@dataclass
class Tally:
    """Counts of one listener since the start. Bytes and transactions are of ended sessions; live ones add theirs."""

    connected: Callable[[float], None]
    """Called with the seconds that one connection to a server took."""
    logged_in: Callable[[float], None]
    """Called with the seconds from an app's connection to its session."""
    accepted: int = 0
    held: int = 0
    sessions: int = 0
    cancels: int = 0
    switches: int = 0
    bytes_from_app: int = 0
    bytes_from_server: int = 0
    transactions: int = 0
    refused: dict[Reason, int] = field(default_factory=lambda: dict.fromkeys(Reason, 0))
    errors: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SQLSTATE_CLASSES, 0))

    def error(self, sqlstate: str) -> None:
        """A server sent an error with this SQLSTATE."""
        self.errors[sqlstate_class(sqlstate)] += 1


@dataclass(frozen=True)
class Reading:
    """One listener at the moment of a scrape; the sums include live sessions."""

    listener: str
    environment: str
    tally: Tally
    open_sessions: int
    most_sessions: int
    waiting: int
    health: Health
    servers: tuple[Server, ...]
    bytes_from_app: int
    bytes_from_server: int
    transactions: int


class DbproxyCollector(Collector):
    """Asks `read` at every scrape."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        readings = list(self._read())
        yield from _counters(readings)
        yield from _gauges(readings)

    def describe(self) -> Iterable[Metric]:
        # Without this the registry would scrape once while registering, before there is anything to read.
        return []


_COUNTERS: tuple[tuple[str, str, Callable[[Reading], int]], ...] = (
    ("connections", "Connections accepted from the app", lambda r: r.tally.accepted),
    ("sessions_opened", "Sessions that reached a server", lambda r: r.tally.sessions),
    ("held", "Connections that had to wait for their target", lambda r: r.tally.held),
    ("cancels", "Cancel requests passed to a server", lambda r: r.tally.cancels),
    ("switches", "Changes of the target", lambda r: r.tally.switches),
    ("transactions", "ReadyForQuery messages of PostgreSQL, whole responses of MySQL", lambda r: r.transactions),
)


def _counters(readings: list[Reading]) -> Iterator[Metric]:
    for name, text, value in _COUNTERS:
        family = CounterMetricFamily(f"dbproxy_{name}", text, labels=["listener"])
        for reading in readings:
            family.add_metric([reading.listener], value(reading))
        yield family
    moved = CounterMetricFamily("dbproxy_bytes", "Bytes relayed, by where they came from", labels=["listener", "from"])
    refused = CounterMetricFamily("dbproxy_refused", "Connections refused", labels=["listener", "reason"])
    errors = CounterMetricFamily("dbproxy_errors", "Errors of the server", labels=["listener", "sqlstate_class"])
    for reading in readings:
        moved.add_metric([reading.listener, "app"], reading.bytes_from_app)
        moved.add_metric([reading.listener, "server"], reading.bytes_from_server)
        for reason, count in reading.tally.refused.items():
            refused.add_metric([reading.listener, reason.value], count)
        for code, count in reading.tally.errors.items():
            errors.add_metric([reading.listener, code], count)
    yield from (moved, refused, errors)


def _gauges(readings: list[Reading]) -> Iterator[Metric]:
    sessions = GaugeMetricFamily("dbproxy_sessions", "Sessions open now", labels=["listener"])
    limit = GaugeMetricFamily(
        "dbproxy_sessions_limit", "Sessions that may be open: limits.connections", labels=["listener"]
    )
    waiting = GaugeMetricFamily("dbproxy_waiting", "Connections that wait for their target", labels=["listener"])
    up = GaugeMetricFamily(
        "dbproxy_target_up", "1: up, 0: down, absent: not yet known", labels=["listener", "environment"]
    )
    for reading in readings:
        sessions.add_metric([reading.listener], reading.open_sessions)
        limit.add_metric([reading.listener], reading.most_sessions)
        waiting.add_metric([reading.listener], reading.waiting)
        if reading.health is not Health.UNKNOWN:
            up.add_metric([reading.listener, reading.environment], int(reading.health is Health.UP))
    yield from (sessions, limit, waiting, up)
    yield from _servers(readings)


def _servers(readings: list[Reading]) -> Iterator[Metric]:
    labels = ["listener", "server"]
    up = GaugeMetricFamily("dbproxy_server_up", "1: up, 0: down or faulty, absent: not yet known", labels=labels)
    sessions = GaugeMetricFamily("dbproxy_server_sessions", "Sessions open now", labels=labels)
    role = GaugeMetricFamily("dbproxy_server_role", "1 for the role it has", labels=[*labels, "role"])
    for reading in readings:
        for server in reading.servers:
            of = [reading.listener, str(server.host)]
            sessions.add_metric(of, server.in_use)
            if server.health is not Health.UNKNOWN:
                up.add_metric(of, int(server.health is Health.UP))
            for each in Role:
                role.add_metric([*of, each.value], int(server.role is each))
    yield from (up, sessions, role)


class Timings(Collector):
    """The two histograms, present for each listener from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._connect: dict[str, _Durations] = {}
        self._login: dict[str, _Durations] = {}
        registry.register(self)

    def tally(self, listener: str) -> Tally:
        """A tally for one listener that observes into these histograms."""
        connect, login = self._connect[listener], self._login[listener] = _Durations(), _Durations()
        return Tally(connected=connect.observe, logged_in=login.observe)

    def collect(self) -> Iterator[Metric]:
        yield _histogram("dbproxy_connect_seconds", "Time to connect to a server", self._connect)
        text = "Time from an app's connection to its session, holding included"
        yield _histogram("dbproxy_login_seconds", text, self._login)

    def describe(self) -> Iterable[Metric]:
        return []


class _Durations:
    """How many durations fell into each bucket, the last one for those beyond all bounds, and their sum."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(_BUCKETS, seconds)] += 1
        self.sum_s += seconds


def _histogram(name: str, text: str, durations: dict[str, _Durations]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=["listener"])
    for listener, each in durations.items():
        buckets = list(zip((*map(str, _BUCKETS), "+Inf"), accumulate(each.counts), strict=True))
        family.add_metric([listener], buckets, each.sum_s)
    return family
