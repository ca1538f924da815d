"""Real containers: podman and the images of this tree, built once. Skipped by name where none can run."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from chassis import __version__

ROOT = Path(__file__).parent.parent.parent
NEEDED = ("podman", "runc", "netavark", "mmdebstrap")
IMAGES = ("logshipper", "logformat", "dbproxy", "demo-app", "demo-database", "logserver")


@dataclass(frozen=True)
class Engine:
    """podman with this project's configuration, so that it also runs inside a container."""

    environ: dict[str, str]

    def run(self, *arguments: str) -> str:
        """What a podman command says. AssertionError with its own words when it fails."""
        done = subprocess.run(["podman", *arguments], env=self.environ, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def build(self, *images: str, **environ: str) -> None:
        command = ["sh", str(ROOT / "k8s/images/build.sh"), *images]
        environment = self.environ | {"OFFLINE": "1", "ENGINE": "podman"} | environ
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, done.stderr


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
    """The names of the images, by target."""
    engine.build(*IMAGES)
    return {image: f"localhost/podmates/{image}:{__version__}" for image in IMAGES}
