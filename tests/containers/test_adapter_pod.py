"""The adapter pod in real containers: whatever the app logs comes out as one schema, each event once.

The tests share one pod; the last one stops it.
"""

import json

import pytest

from tests.containers.confinement import assert_confined, assert_one_network, assert_shared
from tests.containers.counting import LEDGER, ledger, proof
from tests.containers.stage import Pod, Stage, until
from tests.containers.traffic import APP_PORT, Traffic, received, traffic

OPS_PORTS = {"log-agent": 9101, "adapter": 9102}


@pytest.fixture(scope="module")
def pod(stage: Stage, log_server: Pod) -> Pod:
    (pod,) = stage.play("adapter.classic", {"app": {"APP_LEDGER": LEDGER}})
    pod.is_there(APP_PORT, "/-/stats", "app")
    for mate, port in OPS_PORTS.items():
        pod.is_there(port, "/readyz", mate)
    return pod


def test_each_container_is_confined_as_its_manifest_says(pod: Pod) -> None:
    assert_confined(pod)


def test_the_records_go_from_volume_to_volume(pod: Pod) -> None:
    assert_one_network(pod)
    assert_shared(pod, "/var/log/app", writer="app", reader="adapter")
    records = pod.root("adapter") / "var/log/podmates/app.jsonl"
    until(lambda: records.exists() and records.stat().st_size, lambda: pod.log("adapter"))
    assert not (pod.root("log-agent") / "var/log/app").exists(), "the log-agent sees records only"


def test_four_ways_to_log_become_one_schema(pod: Pod, log_server: Pod) -> None:
    asked = Traffic(f"http://{pod.address}:{APP_PORT}")
    asked.ask("/price/8")
    asked.ask("/invoice/20")

    def events() -> set[tuple[str | None, int | None]]:
        records = [json.loads(line) for line in received(log_server, pod) if b"evt-" in line]
        return {(each["attributes"].get("exception.type"), each.get("severity_number")) for each in records}

    wanted = {("ValueError", 17), ("java.lang.IllegalStateException", 17)}
    until(lambda: wanted <= events(), lambda: f"{events()}\n{pod.log('adapter')}")


def test_killed_mates_go_on_and_a_stop_leaves_nothing_behind(pod: Pod, log_server: Pod) -> None:
    before = sum(event.kind == "access" for event in ledger(pod))
    with traffic(pod) as asked:
        for mate, port in OPS_PORTS.items():
            asked.more(50)
            pod.kill(mate, port)
        asked.more(50)
    statuses = pod.stop()
    assert statuses == dict.fromkeys(pod.containers, 0), {name: pod.log(name) for name in OPS_PORTS}
    proof(pod, log_server, before + asked.made, no_database=True)
