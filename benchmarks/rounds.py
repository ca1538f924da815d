"""Rounds: every contestant once in each, in turn, so that a slow minute strikes all alike; then medians and spread.

A round of a contestant is noisy when a fixed piece of work took clearly longer around it than at the quietest moment of
the whole run; it is repeated a few times, and what stays noisy is said.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from benchmarks import machine

NOISY = 1.08
MOST_REPEATS = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: lines that really arrived, and what it took. `startup_cpu_s` is not part of `cpu_s`."""

    lines: int
    cpu_s: float
    startup_cpu_s: float
    wall_s: float
    peak_mib: float
    noise: float = 1.0

    @property
    def klines_per_cpu_s(self) -> float:
        return self.lines / 1000 / self.cpu_s if self.cpu_s else float("inf")

    def with_noise(self, noise: float) -> "Measured":
        return replace(self, noise=noise)


@dataclass(slots=True)
class Contestant:
    name: str
    run: Callable[[], Measured]
    lines: int
    """How many must arrive."""
    runs: list[Measured] = field(default_factory=list)
    noisy: int = 0
    """Runs that stayed noisy after all repeats."""

    def median(self) -> float:
        return statistics.median(each.klines_per_cpu_s for each in self.runs)

    def spread(self) -> tuple[float, float]:
        speeds = [each.klines_per_cpu_s for each in self.runs]
        return min(speeds), max(speeds)


class LinesMissing(Exception):
    """Not every line arrived, and so no figure counts."""


def play(contestants: Sequence[Contestant], rounds: int, core: int, tell: Callable[[str], None]) -> None:
    """Runs them all `rounds` times. When there are several rounds, one more comes first as a warm-up, and noisy runs
    are repeated."""
    quietest = min(machine.probe_on(core) for _ in range(5))
    for number in range(0 if rounds > 1 else 1, rounds + 1):
        for contestant in contestants:
            measured, quietest = _run(contestant, quietest, core, MOST_REPEATS if rounds > 1 else 0)
            if number == 0:
                continue
            contestant.runs.append(measured)
            contestant.noisy += measured.noise > NOISY
            tell(
                f"round {number}/{rounds}  {contestant.name:<32} {measured.klines_per_cpu_s:7.0f} klines/CPU-s"
                f"  {measured.cpu_s:5.2f} CPU-s  noise {measured.noise:.2f}"
            )


def _run(contestant: Contestant, quietest: float, core: int, repeats: int) -> tuple[Measured, float]:
    """The least noisy of a few tries, the first that is quiet enough ending them."""
    best: Measured | None = None
    for _ in range(1 + repeats):
        before = machine.probe_on(core)
        measured = contestant.run()
        after = machine.probe_on(core)
        if measured.lines != contestant.lines:
            raise LinesMissing(f"{contestant.name}: {measured.lines} of {contestant.lines} lines arrived")
        quietest = min(quietest, before, after)
        measured = measured.with_noise((before + after) / 2 / quietest)
        if best is None or measured.noise < best.noise:
            best = measured
        if best.noise <= NOISY:
            break
    assert best is not None
    return best, quietest
