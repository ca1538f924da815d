"""What the machine is, whether it is quiet now, and the CPU and memory of one process. Linux's /proc."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROBE_BYTES = 4 * 1024 * 1024
PROBES = 12


def describe() -> dict[str, str | int]:
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in facts if line.startswith("model name")), "unknown")
    return {
        "cpu": model,
        "cores": os.cpu_count() or 1,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
    }


def cores() -> tuple[int, int]:
    """One core for what is measured, another one (if there is one) for everything around it."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1], allowed[0]


def cpu_s(pid: int) -> float:
    """User and system time of all threads of a process, ended ones included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def fine_cpu_s(pid: int) -> float:
    """The same to the nanosecond, without the threads that have ended."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB. `peak` is the highest resident size so far."""

    resident: float
    anonymous: float
    peak: float


def memory(pid: int) -> Memory:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    resident, anonymous, peak = (int(status[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon", "VmHWM"))
    return Memory(round(resident, 1), round(anonymous, 1), round(peak, 1))


def probe_on(core: int) -> float:
    """CPU seconds that a fixed piece of work takes on this core now: more than usual when a neighbour is at work."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return _probe_s()
    finally:
        os.sched_setaffinity(0, allowed)


def _probe_s() -> float:
    block = bytes(range(256)) * (PROBE_BYTES // 256)
    began = time.thread_time()
    for _ in range(PROBES):
        block.replace(b"\n", b"").count(b"{")
    return time.thread_time() - began
