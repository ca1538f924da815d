"""Memory at rest: fresh, and after a busy minute of three formats."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.mate_process import WAIT_S

LINES = 20_000
FRESH_MIB = 52, 34
AFTER_LOAD_MIB = 53, 36.5
"""Resident, and of it anonymous. What 60,000 lines leave behind for good is formats, templates and fragments."""


def resident(pid: int) -> tuple[float, float]:
    """MiB resident, and of it anonymous (proc(5), smaps_rollup)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.partition(":")[0]: int(line.split()[1]) for line in rollup}
    return kib["Rss"] / 1024, kib["Anonymous"] / 1024


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="measures with /proc/PID/smaps_rollup")
def test_idle_memory_fresh_and_after_load(desk: Any) -> None:
    adapter = desk.start()
    adapter.event("ready")
    rss, anonymous = resident(adapter.process.pid)
    assert rss <= FRESH_MIB[0]
    assert anonymous <= FRESH_MIB[1]
    numbers = range(LINES)
    moments = [f"{at // 3600 % 24:02d}:{at // 60 % 60:02d}:{at % 60:02d}" for at in numbers]
    access = '203.0.113.{} - - [20/Nov/2026:{} +0000] "GET /p/{} HTTP/1.1" 200 {} "-" "curl"\n'
    java = "2026-11-20 {}.123 ERROR 1 --- [main] c.e.Demo : {}\njava.io.IOException: no\n\tat c.e.D.f(D.java:1)\n"
    app = {"level": 30, "pid": 657, "hostname": "web-1"}
    desk.write("access.log", "".join(access.format(at % 250, moments[at], at, at) for at in numbers))
    desk.write("java.log", "".join(java.format(moments[at], at) for at in numbers))
    desk.write(
        "app.log",
        "".join(json.dumps({**app, "time": 1531171074631 + at, "msg": f"hello {at}"}) + "\n" for at in numbers),
    )
    desk.wait(lambda: adapter.metrics()["logformat_lag_bytes"] == 0 and desk.raw().count(b"\n") == 3 * LINES)

    def rests() -> bool:
        rss, anonymous = resident(adapter.process.pid)
        return rss <= AFTER_LOAD_MIB[0] and anonymous <= AFTER_LOAD_MIB[1]

    until = time.monotonic() + WAIT_S
    while not rests() and time.monotonic() < until:
        time.sleep(0.1)
    assert rests(), resident(adapter.process.pid)
    assert adapter.stop() == 0
