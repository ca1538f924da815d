"""Rendering with the real kustomize, as a program of its own or inside kubectl, whichever is on this machine."""

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

SINCE = 5  # components land in another order, or nowhere, in what Debian 12 has (kubectl 1.20 with kustomize 2)


@functools.cache
def renderer() -> tuple[Sequence[str], str]:
    """The command that renders a folder, and why there is none."""
    if shutil.which("kustomize"):
        return _if_new_enough(("kustomize", "build"), _said("kustomize", "version"))
    if shutil.which("kubectl"):
        told = json.loads(_said("kubectl", "version", "--client", "--output=json") or "{}")
        return _if_new_enough(("kubectl", "kustomize"), told.get("kustomizeVersion", ""))
    return (), "kustomize (or kubectl) is not on this machine"


def render(folder: Path) -> str:
    done = subprocess.run([*renderer()[0], str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _if_new_enough(command: Sequence[str], version: str) -> tuple[Sequence[str], str]:
    major = re.search(r"v(\d+)\.", version)
    if major and int(major[1]) >= SINCE:
        return command, ""
    return (), f"{command[0]} renders with kustomize {version or 'of unknown version'}, not {SINCE} or newer"


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
