"""Rounds: every contestant once in each, in turn, so that a slow minute strikes all alike; then medians and spread.

A run is noisy when a fixed piece of work took clearly longer around it than at the quietest moment of the whole
benchmark; it is repeated a few times, and what stays noisy is said.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmarks import machine
from benchmarks.outcome import QUANTITIES, Figure, Peer, Row
from benchmarks.processes import Failed

NOISY = 1.08
MOST_REPEATS = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: lines (rows, answers) that really arrived, and what it took, by the keys of QUANTITIES."""

    arrived: int
    figures: Mapping[str, float]
    noise: float = 1.0

    @classmethod
    def of_lines(
        cls, lines: int, cpu_s: float, startup_cpu_s: float, wall_s: float, peak_mib: float, idle_mib: float
    ) -> "Measured":
        """`startup_cpu_s` is not part of `cpu_s`; `idle_mib` is what it weighed before the first line came."""
        figures = {
            "klines_per_cpu_s": lines / 1000 / max(cpu_s, 0.001),
            "klines_per_s": lines / 1000 / max(wall_s, 0.001),
            "idle_mib": idle_mib,
            "peak_mib": peak_mib,
            "startup_cpu_s": startup_cpu_s,
        }
        return cls(lines, figures)


@dataclass(slots=True)
class Contestant:
    """Who does which work. `expected` is how many must arrive in each run. `warm_up` is a smaller run, that brings
    programs and files into memory."""

    work: str
    name: str
    run: Callable[[], Measured]
    expected: int
    ours: bool
    warm_up: Callable[[], object] | None = None
    size: float | None = None
    runs: list[Measured] = field(default_factory=list)
    failed: bool = False

    def row(self) -> Row:
        return Row(
            work=self.work,
            name=self.name,
            ours=self.ours,
            arrived=min(each.arrived for each in self.runs),
            expected=self.expected,
            rounds=len(self.runs),
            noisy=sum(each.noise > NOISY for each in self.runs),
            figures={
                quantity: Figure.of(each.figures[quantity] for each in self.runs) for quantity in self.runs[0].figures
            },
            size=self.size,
        )


class Undelivered(Exception):
    """Not everything arrived, and so no figure counts."""


class Rounds:
    """`play`s contestants `count` times on `core`, and remembers how quiet the machine can be. A `quick` one is no
    measurement: once, without warm-up, and whatever the noise."""

    def __init__(self, count: int, core: int, tell: Callable[[str], None], *, quick: bool = False) -> None:
        self._count = 1 if quick else count
        self._quick = quick
        self._core = core
        self._tell = tell
        self.dropped: list[Peer] = []
        self._repeats_left = 0
        """So that a noisy hour makes a benchmark half as long again at the most."""
        self._quietest = min(self._probe() for _ in range(5))

    def play(self, contestants: Sequence[Contestant]) -> list[Row]:
        """Their rows. Warm-ups come first, and noisy runs are repeated."""
        if not self._quick:
            for contestant in contestants:
                if contestant.warm_up is not None:
                    self._warm_up(contestant, contestant.warm_up)
        self._repeats_left = -(-len(contestants) * self._count // 2)
        for number in range(1, self._count + 1):
            for contestant in contestants:
                if contestant.failed:
                    continue
                try:
                    measured = self._run(contestant)
                except (Failed, Undelivered) as error:
                    if contestant.ours:
                        raise
                    self._drop(contestant, str(error))
                    continue
                contestant.runs.append(measured)
                self._tell(f"{number}/{self._count}  {_told(contestant, measured)}")
        return [contestant.row() for contestant in contestants if not contestant.failed]

    def _warm_up(self, contestant: Contestant, warm_up: Callable[[], object]) -> None:
        try:
            warm_up()
        except Failed as error:
            if contestant.ours:
                raise
            self._drop(contestant, str(error))

    def _drop(self, contestant: Contestant, why: str) -> None:
        """A peer that fails is no reason not to measure the others; it is named among those that did not run."""
        contestant.failed = True
        self.dropped.append(Peer(f"{contestant.name}, {contestant.work}", why_not=" ".join(why.split())[:300]))
        self._tell(f"dropped: {contestant.name}: {why}")

    def _run(self, contestant: Contestant) -> Measured:
        """The least noisy of a few tries, the first that is quiet enough ending them."""
        best: Measured | None = None
        for attempt in range(1 + (0 if self._quick else MOST_REPEATS)):
            if attempt > 0:
                if self._repeats_left <= 0:
                    break
                self._repeats_left -= 1
            before = self._probe()
            measured = contestant.run()
            after = self._probe()
            if measured.arrived != contestant.expected:
                raise Undelivered(
                    f"{contestant.name} ({contestant.work}): {measured.arrived} of {contestant.expected} arrived"
                )
            self._quietest = min(self._quietest, before, after)
            measured = replace(measured, noise=(before + after) / 2 / self._quietest)
            if best is None or measured.noise < best.noise:
                best = measured
            if best.noise <= NOISY:
                break
        assert best is not None
        return best

    def _probe(self) -> float:
        return 1.0 if self._quick else machine.probe_on(self._core)


def _told(contestant: Contestant, measured: Measured) -> str:
    figures = ", ".join(_said(measured.figures, list(measured.figures)[:2]))
    size = "" if contestant.size is None else f" {contestant.size:,.0f}"
    return f"{contestant.work}{size}: {contestant.name:<28} {figures}, noise {measured.noise:.2f}"


def _said(figures: Mapping[str, float], quantities: Iterable[str]) -> Iterable[str]:
    for quantity in quantities:
        kind = QUANTITIES[quantity]
        yield f"{figures[quantity]:.{kind.digits}f} {kind.unit}"
