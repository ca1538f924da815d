"""The commands: exit status, where results go, and the summary of all benchmarks, which leaves nothing unsaid."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from benchmarks import __main__ as entry
from benchmarks import command, results_files
from benchmarks.outcome import Demand, Row, row

ROWS = [row("lines", "mate", {"klines_per_cpu_s": 100}, ours=True)]
LOST = [row("lines", "mate", {"klines_per_cpu_s": 100}, ours=True, arrived=9, expected=10)]
MISSED = Demand("lines", "mate", "klines_per_cpu_s", "peer", 0.5, 1.0, at_least=True)


def benchmark(name: str, rows: list[Row], demands: list[Demand]) -> Callable[[Sequence[str]], int]:
    def measure(options: argparse.Namespace) -> command.Found:
        return rows, demands, []

    return lambda argv: command.run(name, "a test", command.parser(name, "a test"), measure, argv)


@pytest.mark.parametrize(
    ("rows", "demands", "quick", "status"),
    [(ROWS, [], False, 0), (ROWS, [MISSED], False, 1), (ROWS, [MISSED], True, 0), (LOST, [], True, 1)],
    ids=["met", "behind", "quick judges nothing", "quick but lost"],
)
def test_the_status_tells_what_is_behind_or_lost(
    tmp_path: Path, rows: list[Row], demands: list[Demand], quick: bool, status: int
) -> None:
    argv = ["--results", str(tmp_path), *(["--quick"] if quick else [])]
    assert benchmark("shipper", rows, demands)(argv) == status
    assert results_files.read(tmp_path / "shipper.json").quick is quick


def test_quick_and_partial_figures_are_kept_apart() -> None:
    parser = command.parser("shipper", "a test")
    assert command.results_of(parser.parse_args([])) == results_files.DIRECTORY
    for argv in (["--quick"], ["--only", "plain"]):
        assert command.results_of(parser.parse_args(argv)) == results_files.PARTIAL


def test_all_of_them_sum_up_what_is_behind_and_who_has_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    several = {
        "shipper": benchmark("shipper", ROWS, []),
        "adapter": benchmark("adapter", LOST, []),
        "growth": lambda argv: 1,
    }
    monkeypatch.setattr(entry, "BENCHMARKS", several)
    assert entry.main(["--quick", "--results", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "UNDELIVERED mate (lines): 9 of 10" in said
    assert "NO FIGURES growth" in said
    assert "NO FIGURES shipper" not in said


def test_an_unknown_name_is_told_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["nonsense"]) == 64
    assert "shipper" in capsys.readouterr().err
