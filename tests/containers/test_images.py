"""The images: what is in them, what is not, and that they start under the restrictions they are meant for."""

import json
import tomllib
from datetime import datetime

import docker
import pytest

from chassis import __version__
from tests.containers.conftest import IMAGES, ROOT, Engine
from tests.containers.stage import until
from tests.test_architecture import imports

LARGEST_OWN_LAYER = 45_000_000
MATES = {"logshipper": "sidecar_logshipper", "logformat": "adapter_logformat", "dbproxy": "ambassador_dbproxy"}
RESTRICTED = ("--rm", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--memory=64m")
DISTRIBUTION_OF = {"yaml": "pyyaml", "prometheus_client": "prometheus-client"}
FOLDERS = {
    "logshipper": ("chassis", "logtail", "sidecar_logshipper"),
    "logformat": ("chassis", "logtail", "adapter_logformat"),
    "dbproxy": ("chassis", "ambassador_dbproxy"),
    "demo-app": ("podmates/sample_app",),
    "logserver": ("podmates/log_server",),
}


def group(groups: dict[str, list[object]], name: str) -> set[str]:
    """The distributions of a dependency group, with those of the groups it includes."""
    names: set[str] = set()
    for entry in groups[name]:
        names |= group(groups, entry["include-group"]) if isinstance(entry, dict) else {str(entry)}
    return names


@pytest.mark.parametrize("image", FOLDERS)  # not demo-database: it runs the programs of its wheel and imports nothing
def test_an_image_names_just_the_libraries_that_it_imports(image: str) -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    known = {line.split("==")[0] for line in (ROOT / "locks/demo.txt").read_text().splitlines() if "==" in line}
    files = [path.relative_to(ROOT) for folder in FOLDERS[image] for path in (ROOT / folder).rglob("*.py")]
    modules = {name.partition(".")[0] for path in files for name in imports(path)}
    imported = {DISTRIBUTION_OF.get(name, name) for name in modules} & known
    assert group(document["dependency-groups"], image) == imported


@pytest.mark.parametrize("mate", MATES)
def test_a_mate_starts_under_the_restrictions_of_a_pod(engine: Engine, images: dict[str, str], mate: str) -> None:
    assert engine.run("run", *RESTRICTED, images[mate], "--version") == f"podmates {__version__}"


def test_the_database_starts_where_nobody_writes_down_a_name_for_its_user(
    engine: Engine, images: dict[str, str], docker_api: docker.DockerClient
) -> None:
    # As in Kubernetes: podman by itself would add its user to /etc/passwd, without which initdb refuses.
    confined = (*RESTRICTED[1:-1], "--passwd=false", "--tmpfs=/var/lib/postgresql:mode=1777")
    who = ("--environment=dev", "--user=u", "--database=d", "--password-file=/etc/hostname")
    name = engine.run("run", "--detach", *confined, images["demo-database"], *who)
    try:
        container = docker_api.containers.get(name)
        command = ("exec", name, "python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 5432))")
        until(lambda: answers(engine, *command), lambda: container.logs().decode())
    finally:
        engine.run("rm", "--force", "--ignore", "--time", "0", name)


def answers(engine: Engine, *command: str) -> bool:
    try:
        engine.run(*command)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("image", IMAGES)
def test_who_it_runs_as_and_what_it_says_of_itself(engine: Engine, images: dict[str, str], image: str) -> None:
    inspected = json.loads(engine.run("image", "inspect", images[image]))[0]
    config = inspected["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"][:2] == ["python3", "-m"]
    assert config["Labels"]["org.opencontainers.image.title"] == f"podmates/{image}"
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    created = config["Labels"]["org.opencontainers.image.created"]
    assert datetime.fromisoformat(created) == datetime.fromisoformat(inspected["Created"])


@pytest.mark.parametrize("image", FOLDERS)  # not demo-database, which is a whole PostgreSQL
def test_it_adds_little_to_its_base(engine: Engine, images: dict[str, str], image: str) -> None:
    history = json.loads(engine.run("history", "--format=json", images[image]))
    assert 1_000_000 < sum(layer["size"] for layer in history[:-1]) < LARGEST_OWN_LAYER


def test_a_bill_of_materials_names_every_library(engine: Engine, images: dict[str, str]) -> None:
    cat = ("run", *RESTRICTED, "--entrypoint=cat", images["dbproxy"], "/opt/podmates/sbom.cdx.json")
    components = {each["name"].lower() for each in json.loads(engine.run(*cat))["components"]}
    assert {"aiohttp", "uvloop", "msgspec", "structlog"} <= components
    assert "zstandard" not in components


def test_two_builds_of_one_tree_have_the_same_layers(engine: Engine, images: dict[str, str]) -> None:
    # The layers, not the image's own id: its history names the intermediate images of the builder.
    layers = ("image", "inspect", "--format={{json .RootFS.Layers}}", images["dbproxy"])
    first = json.loads(engine.run(*layers))
    label = '{{index .Config.Labels "org.opencontainers.image.created"}}'
    created = datetime.fromisoformat(engine.run("image", "inspect", f"--format={label}", images["dbproxy"]))
    # Of the same time too, even if somebody commits while the tests run.
    engine.build("dbproxy", SOURCE_DATE_EPOCH=str(int(created.timestamp())))
    assert json.loads(engine.run(*layers)) == first
