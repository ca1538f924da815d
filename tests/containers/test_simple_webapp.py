"""The textbook pod in real containers: what the app writes to files on a shared volume arrives, each line of it.

The tests share one pod; the last one stops it.
"""

import json

import pytest

from tests.containers.confinement import assert_confined, assert_one_network, assert_shared
from tests.containers.stage import Pod, Stage, until
from tests.containers.traffic import APP_PORT, Traffic, received, traffic

OPS_PORT = 9101


@pytest.fixture(scope="module")
def pod(stage: Stage, log_server: Pod) -> Pod:
    (pod,) = stage.play("simple-webapp.classic")
    pod.is_there(APP_PORT, "/-/stats", "app")
    pod.is_there(OPS_PORT, "/readyz", "log-agent")
    return pod


def written(pod: Pod) -> set[str]:
    """The lines of the app's log files."""
    return {
        line for path in pod.stage.volume(f"{pod.name}-logs").glob("*.log") for line in path.read_text().split("\n")
    }


def arrived(log_server: Pod, pod: Pod) -> set[str]:
    """The same lines, as far as the log server has them: a JSON line is itself behind the labels."""
    lines = set()
    for record in map(json.loads, received(log_server, pod)):
        assert (record.pop("app"), record.pop("k8s.pod.name")) == ("simple-webapp", pod.name)
        lines.add(record["message"] if "message" in record else json.dumps(record, separators=(",", ":")))
    return lines | {""}  # behind the last line of a file


def test_each_container_is_confined_as_its_manifest_says(pod: Pod) -> None:
    assert_confined(pod)


def test_both_share_one_loopback_and_one_volume(pod: Pod) -> None:
    assert_one_network(pod)
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9101/livez').status)"
    assert pod.execute("app", "python3", "-c", ask) == "200"
    assert_shared(pod, "/var/log/app", writer="app", reader="log-agent")


def test_what_the_app_logs_arrives(pod: Pod, log_server: Pod) -> None:
    asked = Traffic(f"http://{pod.address}:{APP_PORT}")
    asked.ask("/price/8")
    asked.ask("/invoice/20")
    lines = written(pod)
    assert len(lines) > 20
    until(lambda: arrived(log_server, pod) >= lines, lambda: pod.log("log-agent"))


def test_a_killed_log_agent_goes_on_and_a_stop_leaves_nothing_behind(pod: Pod, log_server: Pod) -> None:
    with traffic(pod) as asked:
        asked.more(50)
        pod.kill("log-agent", OPS_PORT)
        asked.more(50)
        statuses = pod.stop()
    assert statuses == {"app": 0, "log-agent": 0}, pod.log("log-agent")
    assert arrived(log_server, pod) == written(pod), pod.log("app") + pod.log("log-agent")
