"""podman by its command line, with this project's configuration, so that it also runs inside a container."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Engine:
    """podman in this environment."""

    environ: dict[str, str]

    def run(self, *arguments: str, given: str = "") -> str:
        """What a podman command says. AssertionError with its own words when it fails."""
        done = subprocess.run(
            ["podman", *arguments], env=self.environ, input=given, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def build(self, *images: str, **environ: str) -> None:
        command = ["sh", str(ROOT / "k8s/images/build.sh"), *images]
        environment = self.environ | {"OFFLINE": "1", "ENGINE": "podman"} | environ
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, done.stderr
