"""What the kustomize components make of a Deployment, in real containers: the example's overlay for prod.

podman knows no native sidecars, so the mates become containers like the app; all else is as it was rendered.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.containers.confinement import assert_confined, assert_one_network, assert_shared
from tests.containers.engine import ROOT
from tests.containers.stage import Pod, Stage, until
from tests.containers.traffic import APP_PORT

RENDERED = ROOT / "tests" / "k8s" / "golden" / "webapp-prod.yaml"
OPS_PORTS = {"shipper": 9101, "adapter": 9102, "ambassador": 9103}
UNKNOWN_TO_PODMAN = ("metadata.namespace", "spec.nodeName")

Document = dict[str, Any]


def as_classic(documents: Iterable[Document]) -> list[Document]:
    """The pod of the Deployment, its variables written out, and what it mounts."""
    documents = list(documents)
    (workload,) = [document for document in documents if document["kind"] == "Deployment"]
    variables = {document["metadata"]["name"]: document["data"] for document in documents if "data" in document}
    pod = workload["spec"]["template"]
    spec = pod["spec"]
    spec["containers"] = spec.pop("initContainers") + spec["containers"]
    for container in spec["containers"]:
        container.pop("restartPolicy", None)
        container["env"] = [_known_to_podman(each) for each in container.get("env", ())]
        for source in container.pop("envFrom", ()):
            given = variables.get(source["configMapRef"]["name"], {})
            container["env"] += [{"name": name, "value": value} for name, value in given.items()]
    mounted = {volume.get("configMap", {}).get("name") for volume in spec["volumes"]}
    mounted |= {volume.get("secret", {}).get("secretName") for volume in spec["volumes"]}
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {**pod["metadata"], "name": "webapp"}, "spec": spec}
    return [*(document for document in documents if document["metadata"]["name"] in mounted), whole]


def _known_to_podman(variable: Document) -> Document:
    path = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
    return {"name": variable["name"], "value": path} if path in UNKNOWN_TO_PODMAN else variable


@pytest.fixture(scope="module")
def pod(stage: Stage, log_server: Pod, databases: list[Pod], tmp_path_factory: pytest.TempPathFactory) -> Pod:
    manifest: Path = tmp_path_factory.mktemp("rendered") / "components.yaml"
    manifest.write_text(yaml.safe_dump_all(as_classic(yaml.safe_load_all(RENDERED.read_text()))))
    (pod,) = stage.play(str(manifest.with_suffix("")))
    pod.is_there(APP_PORT, "/-/stats", "app", "ambassador")
    for mate, port in OPS_PORTS.items():
        pod.is_there(port, "/readyz", mate)
    return pod


def test_it_is_confined_and_shares_what_it_shall(pod: Pod) -> None:
    assert_confined(pod)
    assert_one_network(pod)
    assert_shared(pod, "/var/log/app", writer="app", reader="adapter")


def test_the_app_reaches_the_database_of_its_overlay(pod: Pod) -> None:
    status, body = pod.ask(APP_PORT, "/orders/2")
    assert (status, json.loads(body)["environment"]) == (200, "prod")


def test_its_records_arrive_with_labels_and_pod(pod: Pod, log_server: Pod) -> None:
    pod.ask(APP_PORT, "/orders/3")

    def arrived() -> list[dict[str, Any]]:
        lines = log_server.ask(8514, "/records")[1].splitlines()
        records = [json.loads(line) for line in lines if line.startswith(b'{"app":"webapp","env":"prod"')]
        return [each for each in records if each["attributes"].get("url.path") == "/orders/3"]

    until(arrived, lambda: "\n".join(pod.log(mate) for mate in OPS_PORTS))
    assert arrived()[0]["k8s.pod.name"] == pod.name
    assert arrived()[0]["attributes"]["log.file.path"].startswith("/var/log/app/")


def test_all_end_well_when_they_are_told_to(pod: Pod) -> None:
    assert pod.stop() == dict.fromkeys(pod.containers, 0)
