"""The benchmark of the shipper in its quick form: it runs to its end and every line is delivered. Never a time."""

import subprocess
import sys
from pathlib import Path

from benchmarks import workloads

ROOT = Path(__file__).parent.parent.parent


def test_every_contestant_delivers_every_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "shipper", "--quick", "--lines", "5000", "--workloads", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything arrived" in done.stdout
    for name in ("unchanged, plain", "unchanged, gzip", "merged, zstd", "wrapped, plain"):
        assert name in done.stdout


def test_a_workload_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    first = workloads.make("json", 1000, tmp_path / "a")
    again = workloads.make("json", 1000, tmp_path / "b")
    assert first.path.read_bytes() == again.path.read_bytes()
    assert (first.lines, first.size) == (1000, first.path.stat().st_size)
    assert 250 < first.size / first.lines < 270


def test_the_footprint_of_each_mate_is_measured() -> None:
    command = [sys.executable, "-m", "benchmarks", "footprint", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("shipper: resident, idle", "adapter: until ready", "ambassador: until ready", "slow sink"):
        assert name in done.stdout
