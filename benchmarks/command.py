"""What the commands of all benchmarks have in common: their options, where the outcome goes, and the exit status."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import machine, report, results_files
from benchmarks.outcome import Demand, Outcome, Peer, Row
from benchmarks.processes import Failed
from benchmarks.rounds import Rounds, Undelivered

ROUNDS = 5

Found = tuple[list[Row], list[Demand], list[Peer]]


def parser(name: str, about: str, *, rounds: int = ROUNDS) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=about)
    parser.add_argument("--quick", action="store_true", help="small and once; asserts only that everything arrives")
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N", help=f"default {rounds}; quick: 1")
    parser.add_argument("--only", metavar="WORD", action="append", default=[], help="only what has this in its name")
    parser.add_argument("--workloads", type=Path, default=Path(tempfile.gettempdir()) / "podmates-benchmarks")
    where = f"where the JSON goes; default {_shown(results_files.DIRECTORY)}, quick or partial: its tmp/"
    parser.add_argument("--results", type=Path, help=where)
    return parser


def run(
    name: str, about: str, parser: argparse.ArgumentParser, measure: Callable[[argparse.Namespace], Found],
    argv: Sequence[str],
) -> int:  # fmt: skip
    """Measures, shows, keeps. 0 when everything arrived and (unless quick) every demand is met, 1 when not."""
    options = parser.parse_args(argv)
    clock = results_files.Clock()
    try:
        rows, demands, peers = measure(options)
    except (Undelivered, Failed) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    outcome = clock.outcome(name, about, rows, [] if options.quick else demands, peers, quick=options.quick)
    print(report.text(outcome, colour=colour()))
    path = results_files.write(outcome, results_of(options))
    print(f"kept in {_shown(path)} after {outcome.took_s:.0f} s", flush=True)
    return _status(outcome)


def rounds(options: argparse.Namespace) -> Rounds:
    """On the core of what is measured, telling its progress."""
    return Rounds(options.rounds, machine.cores()[0], progress, quick=options.quick)


def results_of(options: argparse.Namespace) -> Path:
    """The directory of the JSON: figures of quick and partial runs are kept apart."""
    partial = options.quick or options.only
    found: Path = options.results or (results_files.PARTIAL if partial else results_files.DIRECTORY)
    return found


def colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def chosen(options: argparse.Namespace, name: str) -> bool:
    return not options.only or any(word in name for word in options.only)


def progress(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _status(outcome: Outcome) -> int:
    return int(bool(outcome.undelivered or outcome.missed))


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
