"""The ambassador pod in real containers: one line says which database `localhost:5432` is, and the app never notices.

The tests share one pod for each environment; the last one stops it.
"""

import json
from collections.abc import Callable

import pytest

from podmates.kube_play import Document
from tests.containers.confinement import assert_confined, assert_one_network
from tests.containers.stage import Pod, Stage, until
from tests.containers.traffic import APP_PORT, traffic

OPS_PORT = 9103


def in_environment(environment: str) -> Callable[[Document], None]:
    """Changes the one line of the manifest that differs between environments."""

    def change(document: Document) -> None:
        for container in document["spec"]["containers"] if document["kind"] == "Pod" else ():
            for variable in container.get("env", ()):
                if variable["name"] == "APP_ENV":
                    variable["value"] = environment

    return change


@pytest.fixture(scope="module", params=["dev", "test", "prod"])
def environment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def pod(stage: Stage, databases: list[Pod], environment: str) -> Pod:
    (pod,) = stage.play("ambassador.classic", change=in_environment(environment))
    pod.is_there(APP_PORT, "/-/stats", "app")
    pod.is_there(OPS_PORT, "/readyz", "ambassador")
    return pod


def answers(pod: Pod) -> str:
    """The environment that the app's database says it is."""
    _, body = pod.ask(APP_PORT, "/orders/1")
    return str(json.loads(body)["environment"])


def test_the_database_answers_by_environment(pod: Pod, environment: str) -> None:
    assert answers(pod) == environment


def test_each_container_is_confined_as_its_manifest_says(pod: Pod) -> None:
    assert_confined(pod)
    assert_one_network(pod)


def test_the_app_knows_no_password_and_cannot_be_reached_from_outside_the_pod(pod: Pod) -> None:
    assert not (pod.root("app") / "etc/db").exists()
    assert pod.ask(5432, "/")[0] == 0, "the ambassador listens on loopback alone"


def test_a_killed_ambassador_is_back_and_the_app_untouched(pod: Pod, environment: str) -> None:
    app = pod.pid("app")
    pod.kill("ambassador", OPS_PORT)
    until(lambda: pod.ask(APP_PORT, "/orders/1")[0] == 200, lambda: pod.log("ambassador"))
    assert answers(pod) == environment
    assert pod.pid("app") == app


def test_a_stop_breaks_no_query(pod: Pod) -> None:
    with traffic(pod) as asked:
        asked.more(50)
        statuses = pod.stop()
    assert statuses == {"app": 0, "ambassador": 0}, pod.log("ambassador")
    # After the app has closed its port nobody answers; until then every answer was the database's.
    assert not [answer for answer in asked.unexpected if not answer.endswith(": 0 ")]
