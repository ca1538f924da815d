"""What every manifest here must be, whether written by hand or rendered: valid, restricted, complete in itself."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from adapter_logformat.settings import Settings as Logformat
from ambassador_dbproxy.settings import Settings as Dbproxy
from chassis import __version__
from chassis.loading import load
from sidecar_logshipper.settings import Settings as Logshipper

NATIVE_SINCE, CLASSIC_SINCE = "1.29", "1.25"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123 label
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi)?")
OUR_PORTS = {"podmates/logshipper": 9101, "podmates/logformat": 9102, "podmates/dbproxy": 9103}
ROOT = Path(__file__).parent.parent.parent
MATES = {"logshipper": "shipper", "logformat": "adapter", "dbproxy": "ambassador"}
"""Their containers, in the order of their start."""
MODELS: dict[str, tuple[Any, str]] = {
    "logshipper.yaml": (Logshipper, "LOGSHIPPER"),
    "logformat.yaml": (Logformat, "LOGFORMAT"),
    "dbproxy.yaml": (Dbproxy, "DBPROXY"),
}
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")

Document = dict[str, Any]


def documents(text: str) -> list[Document]:
    return [document for document in yaml.safe_load_all(text) if document]


def pod_specs(of: Iterable[Document]) -> Iterator[tuple[str, dict[str, Any]]]:
    for document in of:
        if document["kind"] == "Pod":
            yield document["metadata"]["name"], document["spec"]
        elif document["kind"] in WORKLOADS:
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", ()), *spec["containers"]]


def settings_of(name: str, text: str, environ: Mapping[str, str], folder: Path) -> Any:
    """What the mate reads whose settings file has this name. SettingsError when it would not start."""
    model, prefix = MODELS[name]
    (folder / name).write_text(text)
    return load(model, folder / name, environ, prefix)


def effective_settings(of: Iterable[Document], spec: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What each mate of the pod reads: its file, its variables, and those of its ConfigMap."""
    maps = {document["metadata"]["name"]: document["data"] for document in of if document["kind"] == "ConfigMap"}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    found: dict[str, Any] = {}
    for mate, name in MATES.items():
        for container in spec.get("initContainers", ()):
            if container["name"] == name:
                written = {each["name"]: each.get("value", "?") for each in container.get("env", ())}
                environ = maps.get(container["envFrom"][0]["configMapRef"]["name"], {}) | written
                (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == "/etc/podmates"]
                ((key, text),) = maps[volumes[mount["name"]]["configMap"]["name"]].items()
                found[mate] = settings_of(key, text, environ, folder)
    return found


def assert_valid(of: Iterable[Document], oldest: str) -> None:
    for document in of:
        for version in (oldest, kubernetes_validate.latest_version()):
            kubernetes_validate.validate(document, version, strict=True)


def assert_restricted(spec: dict[str, Any]) -> None:
    """The Pod Security Standard of that name, and what we ask for besides."""
    whole = spec.get("securityContext", {})
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
    for container in containers(spec):
        security = whole | container["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["readOnlyRootFilesystem"] is True
        assert security["runAsUser"] > 0
        assert container["resources"]["limits"]["memory"]


def assert_nothing_dangles(of: list[Document]) -> None:
    """Nor clashes: mounts and volumes, what they take, names, ports, probes, quantities."""
    config_maps = {document["metadata"]["name"] for document in of if document["kind"] == "ConfigMap"}
    secrets = {document["metadata"]["name"] for document in of if document["kind"] == "Secret"}
    for pod, spec in pod_specs(of):
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
            _assert_complete(container, config_maps)


def _assert_complete(container: dict[str, Any], config_maps: set[str]) -> None:
    opened = {port["containerPort"] for port in container.get("ports", ())}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        for kind in ("httpGet", "tcpSocket"):
            assert container.get(probe, {}).get(kind, {}).get("port") in {None, *opened}
    for group in container["resources"].values():
        assert all(QUANTITY.fullmatch(str(quantity)) for quantity in group.values())
    for source in container.get("envFrom", ()):
        assert source["configMapRef"]["name"] in config_maps or source["configMapRef"]["optional"]


def assert_our_images(spec: dict[str, Any]) -> None:
    """By version, on their ports; and a native sidecar has a startup probe, since without one the app races it."""
    for container in containers(spec):
        image, _, tag = container["image"].partition(":")
        assert container["imagePullPolicy"] == "IfNotPresent"
        if image.startswith("podmates/"):
            assert tag == __version__
        if image in OUR_PORTS:
            assert [port["containerPort"] for port in container["ports"]] == [OUR_PORTS[image]]
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", "describe shall name the cause"
        if "restartPolicy" in container:
            assert container["restartPolicy"] == "Always"
            assert "startupProbe" in container
