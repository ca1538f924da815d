"""All three mates with 64 MiB and a tenth of a processor each: ready in time, and nothing is lost.

Time on the clock says as much about the machine as about a mate, so the processor time until it is ready is held: one
second of it is ten seconds at 100m.
"""

import os
from pathlib import Path

import pytest

from podmates.kube_play import Document
from tests.containers.confinement import memory_limit
from tests.containers.counting import LEDGER, proof
from tests.containers.stage import Pod, Stage
from tests.containers.traffic import APP_PORT, traffic

OPS_PORTS = {"shipper": 9101, "adapter": 9102, "ambassador": 9103}
MEMORY, CPU = 64 * 1024 * 1024, 0.1
READY_AFTER_CPU_S = 10 * CPU


def small(document: Document) -> None:
    for container in document["spec"]["containers"] if document["kind"] == "Pod" else ():
        if container["name"] in OPS_PORTS:
            container["resources"]["limits"] = {"cpu": "100m", "memory": "64Mi"}


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used, its start by the engine included (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def pod(stage: Stage, log_server: Pod, databases: list[Pod]) -> Pod:
    (pod,) = stage.play("three-mates.classic", {"app": {"APP_LEDGER": LEDGER}}, change=small)
    return pod


def test_each_mate_is_ready_within_a_second_of_processor_time(pod: Pod) -> None:
    used = {}
    for mate, port in OPS_PORTS.items():
        pod.is_there(port, "/readyz", mate)
        used[mate] = cpu_seconds(pod.pid(mate))
        assert memory_limit(pod.pid(mate)) == MEMORY
        assert pod.container(mate).attrs["HostConfig"]["CpuQuota"] / 100_000 == CPU
    print(used)
    assert max(used.values()) <= READY_AFTER_CPU_S, used


def test_they_do_their_work_and_lose_nothing(pod: Pod, log_server: Pod) -> None:
    pod.is_there(APP_PORT, "/-/stats", "app")
    with traffic(pod) as asked:
        asked.more(200)
    restarts = {mate: pod.container(mate).attrs["RestartCount"] for mate in OPS_PORTS}
    assert pod.stop() == dict.fromkeys(pod.containers, 0), {mate: pod.log(mate) for mate in OPS_PORTS}
    assert restarts == dict.fromkeys(OPS_PORTS, 0), "none was too big for its memory"
    assert not asked.unexpected
    proof(pod, log_server, asked.made)
