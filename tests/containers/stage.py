"""A stage for pods: a podman network with classic manifests played on it, each under a name of this run alone.

Whatever is on it is removed in the end, and nothing else. What a test asks of a pod's containers is asked of the kernel
(/proc, /sys/fs/cgroup), of the pod over the network, or of the engine through the Docker API.
"""

import os
import secrets
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container

from podmates.kube_play import Document, empty_volumes, prepared
from tests.containers.engine import ROOT, Engine

EXAMPLES = ROOT / "k8s" / "examples"
WITHIN_S = 120.0  # for anything at all: an upper limit, reached only when something is wrong
LOOK_EVERY_S = 0.1


def until(condition: Callable[[], object], what: Callable[[], str] | str) -> None:
    """Returns when the condition holds; AssertionError with `what` when it never does."""
    end = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < end, what if isinstance(what, str) else what()
        time.sleep(LOOK_EVERY_S)


def request(url: str, within_s: float = WITHIN_S) -> tuple[int, bytes]:
    """The status and the body of the answer; status 0 while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=within_s) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError:
        return 0, b""


@dataclass
class Stage:
    """What a test plays, and the names under which it does."""

    engine: Engine
    docker: docker.DockerClient
    name: str = field(default_factory=lambda: f"t{secrets.token_hex(3)}")
    _pods: list[str] = field(default_factory=list)
    _volumes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine.run("network", "create", self.name)

    def play(
        self,
        manifest: str,
        environ: Mapping[str, Mapping[str, str]] | None = None,
        change: Callable[[Document], object] = lambda document: None,
    ) -> list["Pod"]:
        """The pods of a manifest, started. `environ`: more variables, by container; `change` edits each document."""
        documents = list(yaml.safe_load_all((EXAMPLES / f"{manifest}.yaml").read_text()))
        for document in documents:
            change(document)
        made = [document for document in documents if document["kind"] in ("Pod", "Job")]
        others = [document for document in documents if document["kind"] in ("ConfigMap", "Secret")]
        return [self._play(prepared([*others, document], environ)) for document in made]

    def _play(self, documents: list[Document]) -> "Pod":
        *settings, pod = documents
        # Numbered, since a pod may be called as a container of another pod is.
        prefix = f"{self.name}-{len(self._pods)}"
        known_as = pod["metadata"]["name"]
        name = pod["metadata"]["name"] = f"{prefix}-{known_as}"
        for each in settings:
            each["metadata"]["name"] = f"{name}-{each['metadata']['name']}"
        for volume in pod["spec"]["volumes"]:
            volume["name"] = f"{prefix}-{volume['name']}"
            if "configMap" in volume:
                volume["configMap"]["name"] = f"{name}-{volume['configMap']['name']}"
            if "hostPath" not in volume:
                # podman names the volume of an emptyDir by the volume, and that of a ConfigMap by the ConfigMap.
                self._volumes.append(volume.get("configMap", volume)["name"])
        _rename_mounts(pod, prefix)
        for volume in empty_volumes([pod]):
            self.engine.run("volume", "create", volume)
            self.volume(volume).chmod(0o1777)
        self._pods.append(name)
        text = yaml.safe_dump_all([*settings, pod])
        # On this network the pod has the name by which the manifests call it.
        network = f"{self.name}:alias={known_as}"
        self.engine.run("kube", "play", "--network", network, "--log-driver", "k8s-file", "-", given=text)
        return Pod(self, name, pod["spec"])

    def volume(self, name: str) -> Path:
        """Where the files of a volume are on this machine."""
        return Path(self.engine.run("volume", "inspect", "--format", "{{.Mountpoint}}", name))

    def remove(self) -> None:
        """Everything that was made here, however far it came; what fails keeps nothing else from being removed."""
        run = self.engine.run
        with ExitStack() as last_to_first:
            last_to_first.callback(run, "network", "rm", "--force", "--time", "0", self.name)
            for volume in self._volumes:
                last_to_first.callback(run, "volume", "rm", "--force", volume)
            threads = last_to_first.enter_context(ThreadPoolExecutor())  # one after the other takes thrice as long
            for pod in self._pods:
                threads.submit(run, "pod", "rm", "--force", "--ignore", "--time", "0", pod)


def _rename_mounts(pod: Document, prefix: str) -> None:
    for container in pod["spec"]["containers"]:
        for mount in container.get("volumeMounts", ()):
            mount["name"] = f"{prefix}-{mount['name']}"


@dataclass(frozen=True)
class Pod:
    """A pod that was played."""

    stage: Stage
    name: str
    spec: dict[str, Any]

    @property
    def containers(self) -> list[str]:
        return [container["name"] for container in self.spec["containers"]]

    @property
    def address(self) -> str:
        """Its address on the network of the stage; it changes when all of its containers were gone for a moment."""
        infra = self.stage.engine.run("pod", "inspect", "--format", "{{.InfraContainerID}}", self.name)
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self.stage.engine.run("container", "inspect", "--format", form, infra)

    def container(self, name: str) -> Container:
        """The container as the engine sees it now, through the Docker API."""
        return self.stage.docker.containers.get(f"{self.name}-{name}")

    def state(self, name: str) -> dict[str, Any]:
        return dict(self.container(name).attrs["State"])

    def pid(self, name: str) -> int:
        """The process id of a container's main process as this machine counts, 0 while it has none."""
        return int(self.state(name)["Pid"])

    def root(self, name: str) -> Path:
        """The file system of a container, as its main process sees it."""
        return Path(f"/proc/{self.pid(name)}/root")

    def log(self, name: str) -> str:
        """What `kubectl logs` would show."""
        return self.container(name).logs().decode()

    def execute(self, name: str, *command: str) -> str:
        """What a command says that runs in a container, as its user."""
        status, output = self.container(name).exec_run(list(command))
        assert status == 0, output.decode()
        return output.decode().strip()

    def ask(self, port: int, path: str) -> tuple[int, bytes]:
        return request(f"http://{self.address}:{port}{path}")

    def is_there(self, port: int, path: str, *mates: str) -> None:
        """Waits for a 200; the logs of `mates` go into the failure."""
        logs = lambda: "\n".join(f"{mate}: {self.log(mate)}" for mate in mates)  # noqa: E731
        until(lambda: self.ask(port, path)[0] == 200, lambda: f"{self.name}:{port}{path} does not answer\n{logs()}")

    def kill(self, name: str, port: int) -> None:
        """SIGKILL from outside, as the kernel's out-of-memory killer sends it; returns when the mate is back."""
        before = self.pid(name)
        os.kill(before, signal.SIGKILL)
        until(lambda: self.pid(name) not in (0, before), f"{name} was not started again")
        self.is_there(port, "/readyz", name)

    def stop(self) -> dict[str, int]:
        """SIGTERM to all at once, as in a pod without native sidecars; the exit status of each.

        Not by `podman stop`, which takes the network from those that are still draining once the first has ended.
        """
        if running := [f"{self.name}-{name}" for name in self.containers if self.pid(name)]:
            self.stage.engine.run("kill", "--signal", "TERM", *running)
        until(lambda: not any(map(self.pid, self.containers)), self._still_there)
        return {name: self.state(name)["ExitCode"] for name in self.containers}

    def _still_there(self) -> str:
        return "\n".join(f"{name} does not end:\n{self.log(name)}" for name in self.containers if self.pid(name))
