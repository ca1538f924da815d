"""Cost over size: files 1 to 10,000, connections 1 to 2,000, lines of 50 bytes to 1 MiB, formats one to all.

Each cost is flat or grows in proportion, and is judged by its last step: beside the line through the sizes before it,
or beside a size in the middle where it should not grow at all. Each size has one round (of five short turns where
connections grow): bounded in time, and many sizes tell of noise as many rounds do.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import command, growth_logs, growth_sessions, machine
from benchmarks.growth_logs import ACCESS_LOG, ADAPTER, FILES, FORMATS, LENGTHS, NO_FORMAT, SHIPPER
from benchmarks.growth_sessions import CONNECTIONS
from benchmarks.outcome import QUANTITIES, Demand, Peer, Row
from benchmarks.proxies import AMBASSADOR
from benchmarks.rounds import Rounds

NAME, ABOUT = "growth", "what each cost does as its cause grows"
LINE = "a line"
MOST_OF_LINE = 1.3
MOST_OF_FLAT = 1.5
FORMAT_OF_THE_LINES = "combined"
# Work, contestant, quantity; and for what should be flat the size from which it is.
PROPORTIONAL = (
    (FILES, SHIPPER, "cpu_ms"),
    (FILES, SHIPPER, "peak_mib"),
    (CONNECTIONS, AMBASSADOR, "idle_mib"),
    (FORMATS, NO_FORMAT, "cpu_us_per_line"),  # each of them has to say no
)
FLAT = (
    (CONNECTIONS, AMBASSADOR, "cpu_us", 10),
    (LENGTHS, SHIPPER, "mb_per_cpu_s", 5000),
    (LENGTHS, ADAPTER, "mb_per_cpu_s", 5000),
    (FORMATS, ACCESS_LOG, "cpu_us_per_line", 1),
)


def main(argv: Sequence[str]) -> int:
    return command.run(NAME, ABOUT, command.parser(NAME, __doc__, rounds=1), measure, argv)


def measure(options: argparse.Namespace) -> command.Found:
    sizes = growth_logs.QUICK if options.quick else growth_logs.FULL
    options.workloads.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    demands: list[Demand] = []
    peers: list[Peer] = []
    if command.chosen(options, CONNECTIONS):
        rows, demands, peers = growth_sessions.measure(options.quick)
    with tempfile.TemporaryDirectory(prefix="bench-growth-", dir=options.workloads) as name:
        runs = growth_logs.contestants(sizes, Path(name), _formats())
        chosen = [each for each in runs if command.chosen(options, each.work)]
        rounds = Rounds(1, machine.cores()[0], command.progress, quick=options.quick)
        rows += rounds.play(chosen)
    return rows, [*demands, *judged(rows)], peers


def judged(rows: Sequence[Row]) -> Iterator[Demand]:
    """What is asked of the largest size."""
    for work, name, quantity in PROPORTIONAL:
        points = points_of(rows, work, name, quantity)
        if len(points) > 2:
            last, reached = points[-1]
            beside = f"{LINE} through {points[0][0]:,.0f} and {points[-2][0]:,.0f}"
            ratio = reached / in_proportion(points, last)
            yield Demand(work, name, quantity, beside, ratio, MOST_OF_LINE, at_least=False)
    for work, name, quantity, start in FLAT:
        points = [point for point in points_of(rows, work, name, quantity) if point[0] >= start]
        if len(points) > 1:
            (first, base), (_, reached) = points[0], points[-1]
            less = QUANTITIES[quantity].better == "less"
            wanted = MOST_OF_FLAT if less else 1 / MOST_OF_FLAT
            yield Demand(work, name, quantity, f"that at {first:,.0f}", reached / base, wanted, at_least=not less)


def in_proportion(points: Sequence[tuple[float, float]], size: float) -> float:
    """What the cost at `size` is on the line through the first point and the last but one."""
    (first, base), (before, lower) = points[0], points[-2]
    return base + max(0.0, lower - base) * (size - first) / (before - first)


def points_of(rows: Sequence[Row], work: str, name: str, quantity: str) -> list[tuple[float, float]]:
    """Sizes and medians, in their order."""
    own = [row for row in rows if (row.work, row.name) == (work, name) and quantity in row.figures]
    return sorted((row.size or 0.0, row.median(quantity)) for row in own)


def _formats() -> list[str]:
    """All that the adapter knows, that of the lines first."""
    from adapter_logformat.formats.registry import FAMILIES

    names = [name for family in FAMILIES for name in family.names]
    return sorted(names, key=lambda name: name != FORMAT_OF_THE_LINES)
