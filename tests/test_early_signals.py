"""A stop that is asked for while a mate still reads its modules: neither lost nor the death of the process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mate_process import ROOT, WAIT_S

# Sends itself the signal at the moment when it imports the event loop, long before there is a handler.
INTERRUPTED = """
import importlib.abc, os, sys
class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "uvloop":
            os.kill(os.getpid(), int(sys.argv[1]))
sys.meta_path.insert(0, Interrupting())
from {package}.__main__ import main
sys.exit(main([]))
"""


def settings(directory: Path) -> dict[str, dict[str, str]]:
    return {
        "sidecar_logshipper": {
            "LOGSHIPPER__FILES__INCLUDE__0": str(directory / "*.log"),
            "LOGSHIPPER__SINK__TYPE": "stdout",
            "LOGSHIPPER__STATE_DIR": str(directory / "state"),
            "LOGSHIPPER__OPS__LISTEN": "127.0.0.1:0",
        },
        "adapter_logformat": {
            "LOGFORMAT__INPUTS__0__PATHS__0": str(directory / "*.log"),
            "LOGFORMAT__OUTPUT__TO": f"file://{directory}/out.jsonl",
            "LOGFORMAT__STATE_DIR": str(directory / "state"),
            "LOGFORMAT__OPS__LISTEN": "127.0.0.1:0",
        },
        "ambassador_dbproxy": {
            "DBPROXY__ENVIRONMENT": "dev",
            "DBPROXY__LISTENERS__0__NAME": "cache",
            "DBPROXY__LISTENERS__0__LISTEN": "127.0.0.1:0",
            "DBPROXY__LISTENERS__0__PROTOCOL": "tcp",
            "DBPROXY__LISTENERS__0__ENVIRONMENTS__dev__HOSTS__0": "127.0.0.1:9",
            "DBPROXY__OPS__LISTEN": "127.0.0.1:0",
        },
    }


def interrupted(package: str, number: signal.Signals, directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED.format(package=package), str(int(number))],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | settings(directory)[package],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop_when_ready(mate: subprocess.Popen[str], line: str) -> bool:
    if is_ready := json.loads(line)["event"] == "ready":
        mate.terminate()
    return is_ready


@pytest.mark.parametrize("package", settings(Path()))
def test_sigterm_while_the_modules_are_read_stops_the_mate_in_order(package: str, tmp_path: Path) -> None:
    with interrupted(package, signal.SIGTERM, tmp_path) as mate:
        _, said = mate.communicate(timeout=WAIT_S)
    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert (mate.returncode, events.count("stop_asked")) == (0, 1), said


@pytest.mark.parametrize("package", ["sidecar_logshipper", "adapter_logformat"])
def test_what_was_written_before_is_taken_though_the_stop_comes_first(package: str, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("first and last words\n")
    with interrupted(package, signal.SIGTERM, tmp_path) as mate:
        shipped, said = mate.communicate(timeout=WAIT_S)
    assert mate.returncode == 0
    written = tmp_path / "out.jsonl"
    assert "first and last words" in (written.read_text() if written.exists() else shipped), said


@pytest.mark.parametrize("package", settings(Path()))
def test_sighup_while_the_modules_are_read_does_not_end_it(package: str, tmp_path: Path) -> None:
    with interrupted(package, signal.SIGHUP, tmp_path) as mate:
        assert mate.stderr
        assert "ready" in [json.loads(line)["event"] for line in mate.stderr if stop_when_ready(mate, line)]
    assert mate.returncode == 0
