"""What was measured, for people (a table) and for machines (JSON with the machine's description)."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.rounds import Contestant


@dataclass(frozen=True, slots=True)
class Row:
    """Speeds in klines per CPU-second, `ratio` to the yardstick of the same run."""

    name: str
    median: float
    lowest: float
    highest: float
    startup_cpu_s: float
    peak_mib: float
    noisy_runs: int
    ratio: float | None
    wanted: float | None

    @classmethod
    def of(cls, contestant: Contestant, yardstick: float | None, wanted: float | None) -> "Row":
        lowest, highest = contestant.spread()
        median = contestant.median()
        return cls(
            name=contestant.name,
            median=round(median, 1),
            lowest=round(lowest, 1),
            highest=round(highest, 1),
            startup_cpu_s=round(statistics.median(each.startup_cpu_s for each in contestant.runs), 3),
            peak_mib=max(each.peak_mib for each in contestant.runs),
            noisy_runs=contestant.noisy,
            ratio=None if yardstick is None else round(median / yardstick, 2),
            wanted=None if wanted is None else round(wanted, 2),
        )

    @property
    def missed(self) -> bool:
        return self.ratio is not None and self.wanted is not None and self.ratio < self.wanted


def table(rows: Sequence[Row]) -> str:
    head = f"{'klines per CPU-second':<38} {'median':>8} {'spread':>15} {'ratio':>7} {'wanted':>7} {'start CPU-s':>12}"
    lines = [head + f" {'peak MiB':>9}  noisy"]
    for row in sorted(rows, key=lambda row: not row.missed):  # what is behind comes first
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
        wanted = "" if row.wanted is None else f"{row.wanted:.2f}x"
        remark = f"{row.noisy_runs or ''}{'  MISSED' if row.missed else ''}"
        lines.append(
            f"{row.name:<38} {row.median:>8.0f} {row.lowest:>7.0f}-{row.highest:<7.0f} {ratio:>7} {wanted:>7}"
            f" {row.startup_cpu_s:>12.2f} {row.peak_mib:>9.1f}  {remark}"
        )
    return "\n".join(lines)


def write_json(path: Path, facts: Mapping[str, object], contestants: Sequence[Contestant], rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    runs = {each.name: [asdict(run) for run in each.runs] for each in contestants}
    content = dict(facts) | {"rows": [asdict(row) for row in rows], "runs": runs}
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
