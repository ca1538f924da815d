"""The metrics page: counts kept by the streams, the output and the tail, folded into families when somebody scrapes.

All series exist from the start at zero. Label values come from the catalogue and the reasons in `pipeline`,
never from logs.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from adapter_logformat.formats.registry import NAMES, RAW, TRACES
from adapter_logformat.measures import Family
from adapter_logformat.options import REASONS, Tally
from logtail.chunk import ERROR_KINDS, FILE_TROUBLES, TailStats


class Counts(Protocol):
    """What one input received."""

    bytes: int
    datagrams: int
    connections: int
    open_connections: int
    broken_frames: int


class Listening(Protocol):
    """One input that listens."""

    listen: str

    @property
    def received(self) -> Counts: ...
    def dropped(self) -> int: ...


class Readings(Protocol):
    """Where the numbers come from."""

    tally: Tally
    redacted: Counter[str]

    def tail_stats(self) -> TailStats: ...
    def output_counts(self) -> Mapping[str, int]: ...
    def is_blocked(self) -> bool: ...
    def measured(self) -> Iterable[Family]: ...
    def unmeasured(self) -> int: ...
    def redacting(self) -> tuple[str, ...]: ...
    def listeners(self) -> Sequence[Listening]: ...


class LogformatMetrics(Collector):
    """All families whose names begin with `logformat_`."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def describe(self) -> Iterator[Metric]:
        """Nothing: so that registering does not collect."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        tally = self._readings.tally
        yield _counter("lines", "Lines read, blank ones too", tally.lines)
        yield _counter("blank_lines", "Blank lines between records; they make no record", tally.blank_lines)
        yield _counter("input_bytes", "Bytes of log read", tally.bytes_in)
        yield _counter("output_bytes", "Bytes of records made", tally.bytes_out)
        yield _counter("multiline_truncations", "Joined records cut at a cap", tally.truncated)
        yield _labelled(
            "records", "Records by the format that read them", "format", (*NAMES, *TRACES, RAW), tally.records
        )
        yield _labelled("unparsed", "Records with parse.error, by reason", "reason", REASONS, tally.unparsed)
        yield _labelled(
            "redactions", "Matches taken out, by rule", "rule", self._readings.redacting(), self._readings.redacted
        )
        counts = self._readings.output_counts()
        yield _counter("output_errors", "Failed attempts to write the output", counts["errors"])
        yield _counter("output_rotations", "Rotations of the output file", counts["rotations"])
        yield _gauge(
            "output_blocked", "1 while the output cannot be written and reading waits", self._readings.is_blocked()
        )
        yield _counter(
            "unmeasured_values", "Values too large for the metrics that are made of logs", self._readings.unmeasured()
        )
        for family in self._readings.measured():
            yield _measured(family)
        yield from _tail(self._readings.tail_stats())
        yield from _received(self._readings.listeners())


def _tail(stats: TailStats) -> Iterator[Metric]:
    yield _gauge("files", "Files followed", stats.files)
    yield _gauge("lag_bytes", "Bytes in the followed files that are not yet safe in the output", stats.lag_bytes)
    yield _gauge(
        "oldest_unsaved_seconds", "Age of the oldest line read but not yet safe in the output", stats.oldest_unacked_s
    )
    yield _counter("file_rotations", "Rotations of followed files", stats.rotations)
    yield _counter("file_truncations", "Truncations of followed files", stats.truncations)
    in_trouble = GaugeMetricFamily(
        "logformat_files_in_trouble", "Files that match and cannot be read now, by kind", labels=["kind"]
    )
    for kind in FILE_TROUBLES:
        in_trouble.add_metric([kind], stats.in_trouble.get(kind, 0))
    yield in_trouble
    text = "Files that came into trouble and positions not saved, by kind"
    yield _labelled("file_errors", text, "kind", ERROR_KINDS, stats.errors)
    yield _gauge("checkpoint_good", "0 while positions cannot be saved", stats.checkpoint_good)


def _measured(family: Family) -> Metric:
    """A metric made from records; its names begin with `logs_`, so that nobody takes it for the adapter's own."""
    name = f"logs_{family.name}"
    if not family.buckets:
        counter = CounterMetricFamily(name, family.text, labels=family.labels)
        for labels, (value,) in family.cells.items():
            counter.add_metric(labels, value)
        return counter
    histogram = HistogramMetricFamily(name, family.text, labels=family.labels)
    for labels, (total, *counts) in family.cells.items():
        bounds = [*map(str, family.buckets), "+Inf"]
        histogram.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
    return histogram


def _received(listeners: Sequence[Listening]) -> Iterator[Metric]:
    """Labels are the addresses of the settings."""
    counts: dict[str, tuple[str, Callable[[Listening], int]]] = {
        "received_bytes": ("Bytes received by an input that listens", lambda each: each.received.bytes),
        "received_datagrams": ("Datagrams received", lambda each: each.received.datagrams),
        "dropped_datagrams": ("UDP datagrams the kernel dropped, unread in time", lambda each: each.dropped()),
        "connections": ("Connections accepted", lambda each: each.received.connections),
        "broken_frames": ("Connections whose octet counts were none", lambda each: each.received.broken_frames),
    }
    for name, (text, read) in counts.items():
        family = CounterMetricFamily(f"logformat_{name}", text, labels=["listen"])
        for listener in listeners:
            family.add_metric([listener.listen], read(listener))
        yield family
    open_now = GaugeMetricFamily("logformat_open_connections", "Connections open now", labels=["listen"])
    for listener in listeners:
        open_now.add_metric([listener.listen], listener.received.open_connections)
    yield open_now


def _labelled(name: str, text: str, label: str, known: tuple[str, ...], counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"logformat_{name}", text, labels=[label])
    for value in dict.fromkeys((*known, *tuple(counts))):
        family.add_metric([value], counts.get(value, 0))
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"logformat_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"logformat_{name}", text, value=value)
