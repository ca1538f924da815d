"""The metrics page: plain numbers kept by the others, folded into families only when somebody scrapes.

All series exist from the start at zero, so that a rate over them is right from the first scrape.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from logtail.chunk import ERROR_KINDS, FILE_TROUBLES, TailStats
from sidecar_logshipper.ledger import DROP_REASONS, Ledger
from sidecar_logshipper.verdict import Action

REQUEST_ACTIONS = tuple(action for action in Action if action is not Action.REFUSE)  # that one is about a record


class Readings(Protocol):
    """Where the numbers come from."""

    ledger: Ledger

    def tail_stats(self) -> TailStats: ...
    def outcomes(self) -> Mapping[str, int]: ...
    def sent_bytes(self) -> int: ...
    def invalid_lines(self) -> int: ...
    def sink_is_up(self) -> bool: ...


class LogshipperMetrics(Collector):
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def describe(self) -> Iterator[Metric]:
        """Nothing: so that registering does not collect."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield from _ledger(self._readings.ledger)
        yield from _tail(self._readings.tail_stats())
        requests = CounterMetricFamily(
            "logshipper_requests", "Requests to the sink, by what their answer asked for", labels=["action"]
        )
        outcomes = self._readings.outcomes()
        for action in REQUEST_ACTIONS:
            requests.add_metric([action.value], outcomes.get(action.value, 0))
        yield requests
        yield _counter("invalid_lines", "Lines read that hold bytes that are no UTF-8", self._readings.invalid_lines())
        yield _counter("sent_bytes", "Bytes of request bodies, encoded and compressed", self._readings.sent_bytes())
        yield _gauge("sink_up", "0 while the sink is unavailable or refuses us", self._readings.sink_is_up())


def _ledger(ledger: Ledger) -> Iterator[Metric]:
    for unit in ("lines", "bytes"):
        of = attrgetter(unit)
        yield _counter(f"read_{unit}", f"Log {unit} read", of(ledger.read))
        yield _counter(f"acked_{unit}", f"Log {unit} the sink has acknowledged", of(ledger.acked))
        yield _counter(f"dead_lettered_{unit}", f"Log {unit} refused by the sink", of(ledger.dead_lettered))
        yield _gauge(f"pending_{unit}", f"Log {unit} read and not yet accounted for", of(ledger.pending))
        dropped = CounterMetricFamily(f"logshipper_dropped_{unit}", f"Log {unit} given up", labels=["reason"])
        for reason in DROP_REASONS:
            dropped.add_metric([reason], of(ledger.dropped[reason]))
        yield dropped


def _tail(stats: TailStats) -> Iterator[Metric]:
    yield _gauge("files", "Files followed now", stats.files)
    yield _gauge("globs_without_files", "Globs in files.include that match nothing now", stats.empty_globs)
    yield _gauge("lag_bytes", "Bytes in the followed files that are not acknowledged", stats.lag_bytes)
    yield _gauge("oldest_unacked_seconds", "Age of the oldest unacknowledged byte", stats.oldest_unacked_s)
    yield _counter("rotations", "Files that lost or changed their name", stats.rotations)
    yield _counter("truncations", "Files that were truncated", stats.truncations)
    yield _counter("deleted_files", "Files deleted after all of them was acknowledged", stats.deleted)
    yield _counter("long_lines", "Lines over max_line_bytes, split", stats.long_lines)
    in_trouble = GaugeMetricFamily(
        "logshipper_files_in_trouble", "Files that match and cannot be read now, by kind", labels=["kind"]
    )
    for kind in FILE_TROUBLES:
        in_trouble.add_metric([kind], stats.in_trouble.get(kind, 0))
    yield in_trouble
    errors = CounterMetricFamily(
        "logshipper_file_errors", "Files that came into trouble and positions not saved, by kind", labels=["kind"]
    )
    for kind in ERROR_KINDS:
        errors.add_metric([kind], stats.errors.get(kind, 0))
    yield errors
    yield _gauge("checkpoint_good", "0 while positions cannot be saved", stats.checkpoint_good)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"logshipper_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"logshipper_{name}", text, value=value)
