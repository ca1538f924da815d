"""What a benchmark found, in the one form that all of them share: rows of figures, what was asked of them, who ran.

Values only: `rounds` measures, `results_files` keeps them as JSON, `report`, `charts` and `pages` show them.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec


class Quantity(msgspec.Struct, frozen=True):
    """What a figure counts, under which words, and which way is better."""

    title: str
    unit: str
    better: Literal["more", "less"]
    digits: int = 1


QUANTITIES: dict[str, Quantity] = {
    "klines_per_cpu_s": Quantity("klines per CPU-second", "klines/CPU-s", "more", 0),
    "klines_per_s": Quantity("klines per second", "klines/s", "more", 0),
    "mb_per_cpu_s": Quantity("MB per CPU-second", "MB/CPU-s", "more", 0),
    "tps": Quantity("transactions per second", "/s", "more", 0),
    "cpu_us": Quantity("CPU µs per transaction", "µs", "less", 1),
    "cpu_us_per_line": Quantity("CPU µs per line", "µs", "less", 2),
    "cpu_ms": Quantity("CPU milliseconds in all", "ms", "less", 0),
    "mb_per_s": Quantity("MB per second", "MB/s", "more", 0),
    "p50_ms": Quantity("p50 ms", "ms", "less", 3),
    "p99_ms": Quantity("p99 ms", "ms", "less", 3),
    "startup_cpu_s": Quantity("CPU-seconds to start", "s", "less", 2),
    "ready_s": Quantity("seconds until ready", "s", "less", 2),
    "idle_cpu_percent": Quantity("CPU of a core, idle", "%", "less", 2),
    "idle_mib": Quantity("idle MiB", "MiB", "less", 1),
    "idle_anonymous_mib": Quantity("of it anonymous", "MiB", "less", 1),
    "peak_mib": Quantity("peak MiB", "MiB", "less", 1),
    "image_mib": Quantity("image MiB", "MiB", "less", 0),
    "session_kib": Quantity("KiB per session", "KiB", "less", 1),
}


class Figure(msgspec.Struct, frozen=True):
    """One quantity over all rounds. `runs` in the order of the rounds."""

    median: float
    lowest: float
    highest: float
    runs: list[float]

    @classmethod
    def of(cls, runs: Iterable[float]) -> "Figure":
        values = [round(value, 4) for value in runs]
        return cls(round(statistics.median(values), 4), min(values), max(values), values)


class Row(msgspec.Struct, frozen=True):
    """One contestant at one piece of work. `arrived` of `expected` lines, rows or answers in each round; figures by
    the keys of QUANTITIES. `size` where the work is the same at several sizes."""

    work: str
    name: str
    ours: bool
    arrived: int
    expected: int
    rounds: int
    noisy: int
    figures: dict[str, Figure]
    size: float | None = None

    def median(self, quantity: str) -> float:
        return self.figures[quantity].median


class Demand(msgspec.Struct, frozen=True):
    """What is asked of `name` at `work`: its figure, or the ratio of it to the row `beside`, is at least or at most
    `wanted`."""

    work: str
    name: str
    quantity: str
    beside: str | None
    reached: float
    wanted: float
    at_least: bool
    within_spread: bool = False
    """Missed, but a round of one and a round of the other would have met it."""

    @property
    def met(self) -> bool:
        """Judged as it is shown, at two places."""
        reached, wanted = round(self.reached, 2), round(self.wanted, 2)
        return reached >= wanted if self.at_least else reached <= wanted

    @property
    def distance(self) -> float:
        """How far behind: 1 is just met, below 1 is missed; the worst comes first."""
        if not self.reached or not self.wanted:
            return 1.0
        return self.reached / self.wanted if self.at_least else self.wanted / self.reached

    def __str__(self) -> str:
        kind = QUANTITIES[self.quantity]
        what = f"{self.name} ({self.work}): {kind.title}"
        words = "at least" if self.at_least else "at most"
        if self.beside is None:
            return f"{what} {self.reached:.2f}, {words} {self.wanted:.2f} {kind.unit}"
        spread = ", within the spread of the rounds" if self.within_spread else ""
        return f"{what} {self.reached:.2f} x {self.beside}, {words} {self.wanted:.2f} x{spread}"


class Peer(msgspec.Struct, frozen=True):
    """A program that ran, or that could not (`why_not`), and how it was set up: name of the setup → its text."""

    name: str
    version: str = ""
    setups: dict[str, str] = {}
    why_not: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """All that one benchmark found. `took_s` is how long it ran."""

    benchmark: str
    about: str
    quick: bool
    taken_at: str
    took_s: float
    machine: dict[str, str | int | float]
    peers: list[Peer]
    rows: list[Row]
    demands: list[Demand]

    @property
    def missed(self) -> list[Demand]:
        return sorted((each for each in self.demands if not each.met), key=lambda each: each.distance)

    @property
    def undelivered(self) -> list[Row]:
        return [row for row in self.rows if row.arrived != row.expected]

    def works(self) -> list[str]:
        """In the order of their first row."""
        return list(dict.fromkeys(row.work for row in self.rows))

    def rows_of(self, work: str) -> list[Row]:
        return [row for row in self.rows if row.work == work]


def beside(
    rows: Sequence[Row], work: str, name: str, yardstick: str, quantity: str, wanted: float, *, at_least: bool
) -> list[Demand]:
    """The ratio of `name` to `yardstick` at the same work, if both ran; else nothing can be said."""
    by_name = {row.name: row.figures.get(quantity) for row in rows if row.work == work}
    own, measure = by_name.get(name), by_name.get(yardstick)
    if own is None or measure is None or not measure.median or not measure.highest or not measure.lowest:
        return []
    ratio = round(own.median / measure.median, 4)
    best = own.highest / measure.lowest if at_least else own.lowest / measure.highest
    demand = Demand(work, name, quantity, yardstick, ratio, round(wanted, 4), at_least)
    within = not demand.met and (best >= wanted if at_least else best <= wanted)
    return [msgspec.structs.replace(demand, within_spread=within)]


def bound(rows: Sequence[Row], work: str, name: str, quantity: str, wanted: float, *, at_least: bool) -> list[Demand]:
    """The figure itself, if it was measured."""
    for row in rows:
        if (row.work, row.name) == (work, name) and quantity in row.figures:
            return [Demand(work, name, quantity, None, row.median(quantity), wanted, at_least)]
    return []


def row(
    work: str,
    name: str,
    figures: Mapping[str, float],
    *,
    ours: bool,
    arrived: int = 1,
    expected: int = 1,
    size: float | None = None,
) -> Row:
    """A row that was measured once."""
    once = {quantity: Figure.of([value]) for quantity, value in figures.items()}
    return Row(work, name, ours, arrived, expected, 1, 0, once, size)
