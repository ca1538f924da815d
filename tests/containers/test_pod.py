"""The example pod with all three mates, in real containers: the counted proof, with crashes, an outage and a switch."""

import subprocess
import sys

from tests.containers.conftest import ROOT, Engine


def test_the_pod_demo_proves_that_nothing_is_lost(engine: Engine, images: dict[str, str]) -> None:
    engine.run("network", "create", "podmates-demo")  # as a run that was killed leaves it
    command = [sys.executable, "-m", "podmates", "pod-demo", "--seconds", "8"]
    done = subprocess.run(command, env=engine.environ, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The proof holds." in done.stdout
    assert "Shipper and adapter are killed (SIGKILL)" in done.stdout
    assert "podmates-demo" not in engine.run("network", "ls", "--format={{.Name}}").split()
    left = engine.run("ps", "--all", "--format={{.Names}}").split()
    assert not {"webapp-app", "pg-dev-postgres", "logserver-logserver"} & set(left)
