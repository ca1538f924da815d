"""The manifests people copy: valid for Kubernetes, restricted, complete in themselves, native and classic alike."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import kubernetes_validate
import pytest
import yaml

from adapter_logformat.settings import Settings as Logformat
from ambassador_dbproxy.settings import Settings as Dbproxy
from chassis import __version__
from chassis.loading import load
from podmates.kube_play import empty_volumes, prepared
from sidecar_logshipper.settings import Settings as Logshipper

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "k8s" / "examples").glob("*.yaml"))
PAIRS = [path for path in EXAMPLES if path.with_suffix(".classic.yaml").exists() and ".classic" not in path.name]
MODELS = {"logshipper.yaml": Logshipper, "logformat.yaml": Logformat, "dbproxy.yaml": Dbproxy}
PREFIXES = {"logshipper.yaml": "LOGSHIPPER", "logformat.yaml": "LOGFORMAT", "dbproxy.yaml": "DBPROXY"}
NATIVE_SINCE, CLASSIC_SINCE = "1.29", "1.25"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123 label
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi)?")
OUR_PORTS = {"podmates/logshipper": 9101, "podmates/logformat": 9102, "podmates/dbproxy": 9103}


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def pod_specs(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for document in documents(path):
        if document["kind"] == "Pod":
            yield document["metadata"]["name"], document["spec"]
        elif document["kind"] == "Job":
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", ()), *spec["containers"]]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_valid_for_the_oldest_and_the_newest_kubernetes(path: Path) -> None:
    oldest = CLASSIC_SINCE if ".classic" in path.name else NATIVE_SINCE
    for document in documents(path):
        for version in (oldest, kubernetes_validate.latest_version()):
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_restricted_by_the_pod_security_standards(path: Path) -> None:
    for _, spec in pod_specs(path):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
        for container in containers(spec):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["readOnlyRootFilesystem"] is True
            assert security["runAsUser"] > 0
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_nothing_dangles_or_clashes(path: Path) -> None:
    config_maps = {doc["metadata"]["name"]: doc["data"] for doc in documents(path) if doc["kind"] == "ConfigMap"}
    secrets = {doc["metadata"]["name"] for doc in documents(path) if doc["kind"] == "Secret"}
    for pod, spec in pod_specs(path):
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        mounted = {mount["name"] for container in containers(spec) for mount in container.get("volumeMounts", ())}
        assert mounted == volumes.keys(), "every volume is mounted, every mount has its volume"
        for volume in volumes.values():
            assert volume.get("configMap", {}).get("name") in {None, *config_maps}
            assert volume.get("secret", {}).get("secretName") in {None, *secrets}
        names = [container["name"] for container in containers(spec)]
        assert all(NAME.fullmatch(name) for name in [pod, *names, *volumes])
        assert len(set(names)) == len(names)
        ports = [port for container in containers(spec) for port in container.get("ports", ())]
        assert len({port["containerPort"] for port in ports}) == len(ports), "one network namespace, one of each port"
        assert all(len(port["name"]) <= 15 for port in ports)
        for container in containers(spec):
            opened = {port["containerPort"] for port in container.get("ports", ())}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                for kind in ("httpGet", "tcpSocket"):
                    assert container.get(probe, {}).get(kind, {}).get("port") in {None, *opened}
            for group in container["resources"].values():
                assert all(QUANTITY.fullmatch(str(quantity)) for quantity in group.values())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_settings_in_it_are_good(path: Path, tmp_path: Path) -> None:
    for document in documents(path):
        for key, text in document.get("data", {}).items() if document["kind"] == "ConfigMap" else ():
            (tmp_path / key).write_text(text)
            environ = {"APP_ENV": "dev", "POD_NAME": "p"}
            settings = load(MODELS[key], tmp_path / key, environ, PREFIXES[key])
            # terminationGracePeriodSeconds is for the app and all drains together.
            graces = [spec["terminationGracePeriodSeconds"] for _, spec in pod_specs(path)]
            assert settings.drain.deadline < min(graces)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_our_images_by_version_and_on_their_ports(path: Path) -> None:
    for _, spec in pod_specs(path):
        for container in containers(spec):
            image, _, tag = container["image"].partition(":")
            assert container["imagePullPolicy"] == "IfNotPresent"
            if image.startswith("podmates/"):
                assert tag == __version__
            if image in OUR_PORTS:
                assert [port["containerPort"] for port in container["ports"]] == [OUR_PORTS[image]]
            if "restartPolicy" in container:
                assert container["restartPolicy"] == "Always"
                assert "startupProbe" in container, "without one the app races the mate"


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

    native = {name: without_form(spec) for name, spec in pod_specs(path)}
    classic_path = path.with_suffix(".classic.yaml")
    classic = {name: without_form(spec) for name, spec in pod_specs(classic_path)}
    assert native == classic
    others = ("ConfigMap", "Secret")
    assert sorted(map(str, (doc for doc in documents(path) if doc["kind"] in others))) == sorted(
        map(str, (doc for doc in documents(classic_path) if doc["kind"] in others))
    )


def test_all_three_start_in_the_order_that_stops_the_shipper_last() -> None:
    (three,) = [path for path in EXAMPLES if path.name == "three-mates.yaml"]
    ((_, spec),) = pod_specs(three)
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
