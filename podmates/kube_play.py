"""Kubernetes manifests as `podman kube play` needs them. Pure: documents in, documents out.

podman 4 differs from Kubernetes in eight ways that matter to the examples; each is named where it is met. Nothing else
of a manifest is touched, so that what runs is what is written.
"""

import base64
import copy
from collections.abc import Iterable, Mapping
from typing import Any

Document = dict[str, Any]


def prepared(documents: Iterable[Document], environ: Mapping[str, Mapping[str, str]] | None = None) -> list[Document]:
    """The documents of one manifest for podman; `environ` adds variables to containers, by name."""
    ready = []
    for document in copy.deepcopy(list(documents)):
        if document["kind"] == "Service":  # pods find each other by their names on one network
            continue
        if document["kind"] == "Secret":  # podman 4.3 mounts the base64 text of a Secret, and knows no stringData
            document = _as_config_map(document)
        if document["kind"] == "Job":  # podman 4.3 knows none: its one pod is played
            document = _as_pod(document)
        if document["kind"] == "Pod":
            # A container that ends well was told to stop: Kubernetes tells a whole pod, podman would start it again.
            document["spec"].setdefault("restartPolicy", "OnFailure")
            _prepare_pod(document["metadata"]["name"], document["spec"], environ or {})
        ready.append(document)
    return ready


def containers(documents: Iterable[Document]) -> list[str]:
    """The names podman gives to the containers of the pods in these documents."""
    return [
        f"{document['metadata']['name']}-{container['name']}"
        for document in documents
        if document["kind"] == "Pod"
        for container in document["spec"]["containers"]
    ]


def empty_volumes(documents: Iterable[Document]) -> list[str]:
    """The names of the volumes that start empty. podman ignores fsGroup, so the caller opens them to all containers."""
    pods = [document["spec"] for document in documents if document["kind"] == "Pod"]
    return [volume["name"] for spec in pods for volume in spec.get("volumes", ()) if "emptyDir" in volume]


def _as_config_map(secret: Document) -> Document:
    encoded = {key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()}
    values = {**encoded, **secret.get("stringData", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": secret["metadata"], "data": values}


def _as_pod(job: Document) -> Document:
    pod = job["spec"]["template"]
    return {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": {**pod["metadata"], "name": job["metadata"]["name"]}}


def _prepare_pod(pod: str, spec: Document, environ: Mapping[str, Mapping[str, str]]) -> None:
    for volume in spec.get("volumes", ()):
        volume["name"] = f"{pod}-{volume['name']}"  # an emptyDir is a podman volume of that name, shared by all pods
        if secret := volume.pop("secret", None):
            volume["configMap"] = {"name": secret["secretName"]}
    for container in spec["containers"]:
        container.pop("ports", None)  # podman 4.3 publishes each containerPort on the host
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            container.pop(probe, None)  # podman runs them inside the container, with a shell and curl
        for mount in container.get("volumeMounts", ()):
            mount["name"] = f"{pod}-{mount['name']}"
        added = [{"name": name, "value": value} for name, value in environ.get(container["name"], {}).items()]
        container["env"] = [*container.get("env", ()), *added]
