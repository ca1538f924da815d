"""What every mate says of itself at /metrics, beside the process's own: which version it is, and whether it is ready.

Pure: it is told what it shows. What a mate does is in metrics of its own.
"""

from collections.abc import Callable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector


class Vitals(Collector):
    """`mate_ready` and `mate_info`; `is_ready` is asked at every scrape, and says what `/readyz` says."""

    def __init__(self, version: str, is_ready: Callable[[], bool]) -> None:
        self._version = version
        self._is_ready = is_ready

    def describe(self) -> Iterator[Metric]:
        """Nothing: so that registering does not collect."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("mate_ready", "1 between start and drain, as /readyz says", value=self._is_ready())
        yield InfoMetricFamily("mate", "Which version this is", value={"version": self._version})
