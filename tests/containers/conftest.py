"""Real containers: podman and the images of this tree, built once. Skipped by name where none can run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from chassis import __version__
from tests.containers.engine import ROOT, Engine
from tests.containers.stage import Pod, Stage, until

NEEDED = ("podman", "runc", "netavark", "mmdebstrap")
IMAGES = ("logshipper", "logformat", "dbproxy", "demo-app", "demo-database", "logserver")


@pytest.fixture(scope="session")
def engine() -> Engine:
    missing = [name for name in NEEDED if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/lib/podman")]
    if missing:
        pytest.skip(f"containers: {', '.join(missing)} not installed")
    if os.geteuid() != 0:
        pytest.skip("containers: the base image is made as root (mmdebstrap)")
    environ = {**os.environ, "CONTAINERS_CONF": str(ROOT / "k8s/images/containers.conf"), "PYTHON": sys.executable}
    return Engine(environ)


@pytest.fixture(scope="session")
def images(engine: Engine) -> dict[str, str]:
    """The names of the images, by target. IMAGES=as-built takes those that are there, while one works on a test."""
    if os.environ.get("IMAGES") != "as-built":
        engine.build(*IMAGES)
    return {image: f"localhost/podmates/{image}:{__version__}" for image in IMAGES}


@pytest.fixture(scope="session")
def docker_api(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    """The Docker API, answered by podman."""
    socket: Path = tmp_path_factory.mktemp("podman") / "podman.sock"
    service = subprocess.Popen(["podman", "system", "service", "--time=0", f"unix://{socket}"], env=engine.environ)
    try:
        until(socket.exists, "podman system service does not listen")
        client = docker.DockerClient(base_url=f"unix://{socket}", timeout=120)
        try:
            yield client
        finally:
            client.close()
    finally:
        service.terminate()
        service.wait()


@pytest.fixture(scope="session")
def stage(engine: Engine, images: dict[str, str], docker_api: docker.DockerClient) -> Iterator[Stage]:
    """Where pods are played; at the end everything on it is removed."""
    stage = Stage(engine, docker_api)
    try:
        yield stage
    finally:
        stage.remove()


@pytest.fixture(scope="session")
def log_server(stage: Stage) -> Pod:
    """The log server of the examples, on the stage."""
    (pod,) = stage.play("logserver")
    pod.is_there(8514, "/counts", "logserver")
    return pod


@pytest.fixture(scope="session")
def databases(stage: Stage) -> list[Pod]:
    """pg-dev, pg-test and pg-prod of the examples, on the stage."""
    return stage.play("databases")
