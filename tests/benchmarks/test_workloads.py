"""The workloads are the same bytes at every run."""

from pathlib import Path

from benchmarks import workloads


def test_a_workload_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    first = workloads.make("json", 1000, tmp_path / "a")
    again = workloads.make("json", 1000, tmp_path / "b")
    assert first.path.read_bytes() == again.path.read_bytes()
    assert (first.lines, first.size) == (1000, first.path.stat().st_size)
    assert 250 < first.size / first.lines < 270


def test_fewer_lines_are_the_beginning_of_all(tmp_path: Path) -> None:
    make = workloads.Maker(tmp_path, 100_000, 4)
    every, fewer, least = make.all("access"), make.fewer("access"), make.least("access")
    assert (every.lines, fewer.lines, least.lines) == (100_000, 25_000, 20_000)
    assert every.path.read_bytes().startswith(fewer.path.read_bytes())
