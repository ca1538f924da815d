"""Outcomes as JSON files, one for each benchmark, and the facts that each begins with."""

import datetime
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import machine
from benchmarks.outcome import Demand, Outcome, Peer, Row

DIRECTORY = Path(__file__).parent / "results"
PARTIAL = DIRECTORY / "tmp"
"""Where quick and partial runs go: the figures on the pages come from whole ones."""

ORDER = ("shipper", "adapter", "dbproxy", "dbproxy-mysql", "dbproxy-redis", "footprint", "growth")


class Clock:
    """Started with a benchmark; makes its outcome."""

    def __init__(self) -> None:
        self._began = datetime.datetime.now(datetime.UTC)
        self._load = os.getloadavg()[0]

    @property
    def taken_at(self) -> str:
        return self._began.isoformat(timespec="seconds")

    def outcome(
        self, benchmark: str, about: str, rows: Sequence[Row], demands: Sequence[Demand], peers: Sequence[Peer], *,
        quick: bool,
    ) -> Outcome:  # fmt: skip
        took = datetime.datetime.now(datetime.UTC) - self._began
        facts: dict[str, str | int | float] = {**machine.describe()}
        facts["load_before"], facts["load_after"] = round(self._load, 2), round(os.getloadavg()[0], 2)
        return Outcome(
            benchmark=benchmark,
            about=about,
            quick=quick,
            taken_at=self.taken_at,
            took_s=round(took.total_seconds(), 1),
            machine=facts,
            peers=list(peers),
            rows=list(rows),
            demands=list(demands),
        )


def write(outcome: Outcome, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{outcome.benchmark}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(outcome), indent=1) + b"\n")
    return path


def read(path: Path) -> Outcome:
    """Raises msgspec.ValidationError for a file of another form."""
    return msgspec.json.decode(path.read_bytes(), type=Outcome)


def read_all(directory: Path) -> list[Outcome]:
    """Of the benchmarks that have been run, in the order of ORDER."""
    return [read(path) for name in ORDER if (path := directory / f"{name}.json").exists()]
