"""Two containers by hand, in real containers: lemon reaches gold on the loopback they share.

No registry is asked. Where the engine does not have `busybox:1.36` and `redis:7`, stand-ins of these names are made
from Debian's busybox-static and redis-server, whose versions differ, and removed at the end.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.confinement import assert_confined, assert_one_network
from tests.containers.engine import Engine
from tests.containers.stage import Pod, Stage, until

BUSYBOX, REDIS = "localhost/busybox:1.36", "localhost/redis:7"


def stand_in(engine: Engine, directory: Path, image: str, *changes: str) -> None:
    archive = directory.with_suffix(".tar")
    subprocess.run(["tar", "--create", "--file", archive, "--directory", directory, "."], check=True)
    options = [word for change in changes for word in ("--change", change)]
    engine.run("import", *options, str(archive), image)


def busybox(engine: Engine, directory: Path) -> None:
    (directory / "bin").mkdir(parents=True)
    shutil.copy(str(shutil.which("busybox")), directory / "bin/busybox")
    for command in ("sh", "nc", "sleep"):
        (directory / "bin" / command).symlink_to("busybox")
    stand_in(engine, directory, BUSYBOX, 'CMD ["sh"]', "ENV PATH=/bin")


def redis(engine: Engine, directory: Path) -> None:
    """The server with the libraries it names, each where the server looks for it."""
    server = str(shutil.which("redis-server"))
    listed = subprocess.run(["ldd", server], check=True, capture_output=True, text=True).stdout.split()
    for file in (server, *(word for word in listed if word.startswith("/"))):
        target = directory / file.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    stand_in(engine, directory, REDIS, f'ENTRYPOINT ["{server}"]', "ENV PATH=/usr/bin")


@pytest.fixture(scope="module")
def stand_ins(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    missing = [program for program in ("busybox", "redis-server") if not shutil.which(program)]
    if missing:
        pytest.skip(f"containers: {', '.join(missing)} not installed, of which stand-in images are made")
    there = engine.run("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    made = []
    for image, make in ((BUSYBOX, busybox), (REDIS, redis)):
        if not any(name.endswith(image.partition("/")[2]) for name in there):
            made.append(image)
            make(engine, tmp_path_factory.mktemp("image") / "root")
    yield
    if made:
        engine.run("image", "rm", "--force", *made)


@pytest.fixture(scope="module")
def pod(stand_ins: None, stage: Stage) -> Iterator[Pod]:
    (pod,) = stage.play("yellow.classic")
    yield pod
    pod.stop()  # before its images go


def test_lemon_and_gold_share_a_loopback_and_stop_when_asked(pod: Pod) -> None:
    until(lambda: "+PONG" in pod.log("lemon"), lambda: f"{pod.log('lemon')}\n{pod.log('gold')}")
    assert_confined(pod)
    assert_one_network(pod)
    assert pod.ask(6379, "/")[0] == 0, "gold listens on loopback alone"
    assert pod.stop() == {"lemon": 0, "gold": 0}, pod.log("gold")
