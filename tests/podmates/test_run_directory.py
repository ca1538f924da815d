"""A fresh directory for every run; what a killed run left behind is swept away by the next one."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from podmates import run_directory


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_it_is_new_can_be_passed_through_and_is_gone_at_the_end(base: Path) -> None:
    with run_directory.fresh() as directory:
        (directory / "something").write_text("…")
        assert directory.parent == base
        assert oct(directory.stat().st_mode & 0o777) == "0o711"
    assert list(base.iterdir()) == []


def test_two_runs_at_once_leave_each_other_alone() -> None:
    with run_directory.fresh() as first, run_directory.fresh() as second:
        assert first != second
        assert first.is_dir()


def test_what_a_killed_run_left_is_swept_away(base: Path) -> None:
    code = (
        f"import os, tempfile; tempfile.tempdir = {str(base)!r}; from podmates import run_directory\n"
        "with run_directory.fresh() as directory: print(directory, flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    left = Path(killed.stdout.strip())
    assert left.is_dir()
    with run_directory.fresh():
        assert not left.exists()


def test_one_that_is_swept_away_before_it_is_locked_is_made_again(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock, swept = fcntl.flock, []

    def sweep_first(lock: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        swept.extend(run_directory.sweep(base))
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    with run_directory.fresh() as directory:
        assert [directory] != swept != []
        assert directory.is_dir()
    assert list(base.iterdir()) == []


def test_what_is_not_ours_is_left_alone(base: Path) -> None:
    (base / "podmates-demo-without-a-lock").mkdir()
    (base / "other").mkdir()
    assert run_directory.sweep(base) == []
    assert len(list(base.iterdir())) == 2
