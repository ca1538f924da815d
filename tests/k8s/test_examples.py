"""The manifests people copy: valid for Kubernetes, restricted, complete in themselves, native and classic alike."""

import copy
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from podmates.kube_play import empty_volumes, prepared
from tests.k8s.manifests import (
    CLASSIC_SINCE,
    NATIVE_SINCE,
    Document,
    assert_nothing_dangles,
    assert_our_images,
    assert_restricted,
    assert_valid,
    containers,
    documents,
    pod_specs,
    settings_of,
)

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "k8s" / "examples").glob("*.yaml"))
PAIRS = [path for path in EXAMPLES if path.with_suffix(".classic.yaml").exists() and ".classic" not in path.name]

each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)


def read(path: Path) -> list[Document]:
    return documents(path.read_text())


@each_example
def test_valid_for_the_oldest_and_the_newest_kubernetes(path: Path) -> None:
    assert_valid(read(path), CLASSIC_SINCE if ".classic" in path.name else NATIVE_SINCE)


@each_example
def test_restricted_by_the_pod_security_standards(path: Path) -> None:
    for _, spec in pod_specs(read(path)):
        assert_restricted(spec)


@each_example
def test_nothing_dangles_or_clashes(path: Path) -> None:
    assert_nothing_dangles(read(path))


@each_example
def test_our_images_by_version_and_on_their_ports(path: Path) -> None:
    for _, spec in pod_specs(read(path)):
        assert_our_images(spec)


@each_example
def test_the_settings_in_it_are_good(path: Path, tmp_path: Path) -> None:
    for document in read(path):
        for key, text in document.get("data", {}).items() if document["kind"] == "ConfigMap" else ():
            settings = settings_of(key, text, {"APP_ENV": "dev", "POD_NAME": "p"}, tmp_path)
            # terminationGracePeriodSeconds is for the app and all drains together.
            graces = [spec["terminationGracePeriodSeconds"] for _, spec in pod_specs(read(path))]
            assert settings.drain.deadline < min(graces)


def configuration(path: Path) -> dict[str, Any]:
    """ConfigMaps and Secrets by name, without `drain.quiet`: in the native form the app has gone when that begins."""
    found = {}
    for document in read(path):
        if document["kind"] in ("ConfigMap", "Secret"):
            found[document["metadata"]["name"]] = document
            for key, text in document.get("data", {}).items():
                document["data"][key] = settings = yaml.safe_load(text)
                settings.get("drain", {}).pop("quiet", None)
    return found


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.name)
def test_native_and_classic_differ_only_in_their_form(path: Path) -> None:
    def without_form(spec: dict[str, Any]) -> dict[str, Any]:
        spec = copy.deepcopy(spec)
        all_containers = {container["name"]: container for container in containers(spec)}
        for container in all_containers.values():
            container.pop("restartPolicy", None)
            container.pop("startupProbe", None)
            container.pop("command", None)  # the work of a classic Job ends its mates itself
        return {**spec, "containers": all_containers, "initContainers": None}

    native = {name: without_form(spec) for name, spec in pod_specs(read(path))}
    classic_path = path.with_suffix(".classic.yaml")
    classic = {name: without_form(spec) for name, spec in pod_specs(read(classic_path))}
    assert native == classic
    assert configuration(path) == configuration(classic_path)


def test_all_three_start_in_the_order_that_stops_the_shipper_last() -> None:
    (three,) = [path for path in EXAMPLES if path.name == "three-mates.yaml"]
    ((_, spec),) = pod_specs(read(three))
    assert [container["name"] for container in spec["initContainers"]] == ["shipper", "adapter", "ambassador"]


class TestWhatPodmanNeeds:
    POD: ClassVar[dict[str, Any]] = {
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "env": [{"name": "A", "value": "1"}],
                    "ports": [{"containerPort": 1}],
                    "livenessProbe": {"httpGet": {"port": 1}},
                    "volumeMounts": [{"name": "db", "mountPath": "/db"}],
                }
            ],
            "volumes": [{"name": "db", "secret": {"secretName": "s"}}],
        },
    }

    def test_a_secret_becomes_a_config_map(self) -> None:
        secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "eA=="}, "stringData": {"b": "y"}}
        assert prepared([secret]) == [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": {"a": "x", "b": "y"}}
        ]

    def test_a_job_becomes_its_pod(self) -> None:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "Never", "containers": []}}
        job = {"kind": "Job", "metadata": {"name": "j"}, "spec": {"completions": 1, "template": template}}
        (pod,) = prepared([job])
        assert (pod["kind"], pod["metadata"]) == ("Pod", {"labels": {"a": "b"}, "name": "j"})
        assert pod["spec"] == {"restartPolicy": "Never", "containers": []}

    def test_volumes_that_start_empty_are_named(self) -> None:
        spec = {
            "containers": [],
            "volumes": [{"name": "logs", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c"}}],
        }
        pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
        assert empty_volumes(prepared([pod])) == ["p-logs"]

    def test_ports_and_probes_go_volumes_are_named_by_pod(self) -> None:
        before = copy.deepcopy(self.POD)
        (pod,) = prepared([{"kind": "Service"}, self.POD], {"app": {"B": "2"}})
        assert pod["spec"] == {
            "containers": [
                {
                    "name": "app",
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    "volumeMounts": [{"name": "p-db", "mountPath": "/db"}],
                }
            ],
            "volumes": [{"name": "p-db", "configMap": {"name": "s"}}],
            "restartPolicy": "OnFailure",
        }
        assert before == self.POD, "the documents given are left alone"
