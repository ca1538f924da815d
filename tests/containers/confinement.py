"""What Kubernetes' restricted standard and a pod's sharing come to, read from the kernel for containers that run."""

import errno
import os
from pathlib import Path

import pytest

from tests.containers.stage import Pod

UNITS = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}


def assert_confined(pod: Pod) -> None:
    """Each container runs as the user of its manifest, with no capability, a read-only root, and its memory limit."""
    for container in pod.spec["containers"]:
        name, security = container["name"], container["securityContext"]
        pid = pod.pid(name)
        status = dict(
            line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
        )
        assert set(status["Uid"].split()) == {str(security["runAsUser"])}, name
        assert set(status["Gid"].split()) == {str(security["runAsGroup"])}, name
        sets = {kind: int(status[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        assert not any(sets.values()), f"{name}: {sets}"
        assert status["NoNewPrivs"] == "1", name
        assert status["Seccomp"] == "2", f"{name} has no seccomp filter"
        assert_read_only(pod.root(name) / "probe")
        assert memory_limit(pid) == quantity(container["resources"]["limits"]["memory"]), name


def assert_one_network(pod: Pod) -> None:
    """All containers are in one network namespace, which is not this machine's: they share one loopback."""
    namespaces = {os.readlink(f"/proc/{pod.pid(name)}/ns/net") for name in pod.containers}
    assert len(namespaces) == 1
    assert namespaces != {os.readlink("/proc/self/ns/net")}


def assert_shared(pod: Pod, path: str, *, writer: str, reader: str) -> None:
    """Both see the same files at `path`, though they run as different users; the reader may not change them."""
    of_writer, of_reader = (pod.root(name) / path.lstrip("/") for name in (writer, reader))
    names = sorted(file.name for file in of_writer.iterdir())
    assert names
    for name in names:
        assert (of_writer / name).stat().st_ino == (of_reader / name).stat().st_ino
    users = [os.stat(f"/proc/{pod.pid(name)}").st_uid for name in (writer, reader)]
    assert users[0] != users[1]
    assert_read_only(of_reader / "probe")


def assert_read_only(path: Path) -> None:
    # Written by root, whom nothing but a read-only mount stops.
    with pytest.raises(OSError, match="Read-only") as refused:
        path.touch()
    assert refused.value.errno == errno.EROFS


def memory_limit(pid: int) -> int:
    """The bytes that the kernel grants to the control group of a process."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "memory":
            return int(Path(f"/sys/fs/cgroup/memory{group}/memory.limit_in_bytes").read_text())
        if not controllers and (limit := Path(f"/sys/fs/cgroup{group}/memory.max")).exists():
            return int(limit.read_text())
    raise AssertionError(f"process {pid} is in no control group for memory")


def quantity(text: str) -> int:
    return int(text[:-2]) * UNITS[text[-2:]]
