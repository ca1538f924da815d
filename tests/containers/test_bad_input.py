"""What a pod's user sees who made a mistake: the log of the container names it, and the exit status says whose it is.

Each mistake is made in a manifest of the examples; the containers are real.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from podmates.kube_play import Document
from tests.containers.stage import Pod, Stage, until
from tests.containers.traffic import APP_PORT

OPERATOR_MISTAKE = 64
SETTINGS = {"shipper": "logshipper.yaml", "adapter": "logformat.yaml", "ambassador": "dbproxy.yaml"}
AS_UMASK_077 = "import os, runpy; os.umask(0o077); runpy.run_module('podmates.sample_app', run_name='__main__')"


@pytest.fixture
def played(stage: Stage) -> Callable[..., Pod]:
    def play(manifest: str, mistake: Callable[[Document], None]) -> Pod:
        def change(document: Document) -> None:
            if document["kind"] == "Pod":
                document["spec"]["restartPolicy"] = "Never"  # one try shows all there is
            mistake(document)

        (pod,) = stage.play(manifest, change=change)
        return pod

    return play


def event(pod: Pod, container: str, name: str) -> dict[str, Any]:
    """The first event of this name in what `kubectl logs` shows."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        whole = pod.log(container).rpartition("\n")[0].splitlines()  # the last line may still come
        found[:] = [told for told in map(json.loads, whole) if told["event"] == name]
        return bool(found)

    until(is_there, lambda: f"no {name}: {pod.log(container)}")
    return found[0]


def exit_status(pod: Pod, container: str) -> int:
    until(lambda: not pod.state(container)["Running"], lambda: f"{container} does not end: {pod.log(container)}")
    return int(pod.state(container)["ExitCode"])


def test_a_missing_key_of_a_config_map_is_named_as_the_file_that_is_not_there(played: Callable[..., Pod]) -> None:
    def mistake(document: Document) -> None:
        if document["kind"] == "ConfigMap":
            document["data"] = {f"{key}.txt": text for key, text in document["data"].items()}

    pod = played("three-mates.classic", mistake)
    for mate, file in SETTINGS.items():
        told = event(pod, mate, "settings_refused")
        assert told["note"].startswith(f"there is no /etc/podmates/{file}")
        assert file in told["note"].partition("key")[2]
        assert exit_status(pod, mate) == OPERATOR_MISTAKE


def test_a_volume_that_cannot_be_written_is_named(played: Callable[..., Pod], tmp_path: Path) -> None:
    def mistake(document: Document) -> None:
        for volume in document["spec"]["volumes"] if document["kind"] == "Pod" else ():
            if volume["name"].endswith("-state"):  # another's, as a volume without fsGroup is
                del volume["emptyDir"]
                volume["hostPath"] = {"path": str(tmp_path)}

    tmp_path.chmod(0o755)
    pod = played("adapter.classic", mistake)
    refused = event(pod, "adapter", "cannot_start")
    assert refused["setting"] == "state_dir"
    assert "Permission denied" in refused["reason"]
    assert exit_status(pod, "adapter") == OPERATOR_MISTAKE
    # The shipper goes on, since a log that is shipped twice is better than one that is not shipped; its log says so.
    told = event(pod, "log-agent", "checkpoint_write_failed")
    assert (told["path"], told["reason"]) == ("/var/lib/podmates/logshipper.json", "Permission denied")


def test_an_app_that_locks_its_logs_is_told_to_share_them(played: Callable[..., Pod]) -> None:
    def mistake(document: Document) -> None:
        for container in document["spec"]["containers"] if document["kind"] == "Pod" else ():
            if container["name"] == "app":
                container["command"] = ["python3", "-c", AS_UMASK_077]

    pod = played("simple-webapp.classic", mistake)
    told = event(pod, "log-agent", "file_not_followed")
    assert (Path(told["path"]).parent, told["reason"]) == (Path("/var/log/app"), "permission_denied")
    assert told["why"].startswith(
        "its mode is 0600, its user 10001, its group 10001; we are user 65532 with groups 65532"
    )
    assert "umask that its group may read (027)" in told["why"]
    assert "fsGroup" in told["why"]


def test_an_absent_password_is_named_by_its_file_when_the_app_asks(
    played: Callable[..., Pod], databases: list[Pod]
) -> None:
    def mistake(document: Document) -> None:
        if document["kind"] == "Secret":
            del document["stringData"]["dev"]

    pod = played("ambassador.classic", mistake)
    pod.is_there(APP_PORT, "/-/stats", "app")
    pod.is_there(9103, "/readyz", "ambassador")
    assert pod.ask(APP_PORT, "/orders/1")[0] == 503
    told = event(pod, "ambassador", "password_unreadable")
    assert (told["file"], told["listener"]) == ("/etc/db/dev", "orders")
    assert told["reason"] == "No such file or directory"
    assert "orders/dev" in event(pod, "ambassador", "connection_refused")["reason"]
    assert pod.state("ambassador")["Running"], (
        "the other environments are served, and the file is looked for at each login"
    )
