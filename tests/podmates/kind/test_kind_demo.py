"""The demo in a cluster against programs that only pretend: which commands it gives, what it counts, what it says.

No cluster runs here. That the manifests are what Kubernetes takes is held in tests/k8s.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chassis import __version__
from podmates.cluster import NODE
from podmates.kind_demo import judged

ROOT = Path(__file__).parent.parent.parent.parent
FAKE = Path(__file__).with_name("fake_cluster.py")
IMAGES = [
    f"podmates/{name}:{__version__}" for name in ("logshipper", "logformat", "dbproxy", "demo-app", "demo-database")
]


class Stand:
    """A directory with the programs that pretend, and what was asked of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ = {"PATH": str(directory / "bin"), "FAKE_CLUSTER": str(directory), "PYTHONPATH": str(ROOT)}
        self.environ["HOST_PROC"] = str(directory / "proc")  # how much this machine has is no matter
        (directory / "bin").mkdir()
        (directory / "proc/sys/fs/inotify").mkdir(parents=True)
        self.machine(memory_mib=4096, inotify_instances=128)
        self.has("docker", "kind", "kubectl")

    def has(self, *programs: str) -> None:
        for path in (self.directory / "bin").iterdir():
            path.unlink()
        for program in programs:
            path = self.directory / "bin" / program
            path.write_text(f"#!{sys.executable} -SE\n{FAKE.read_text()}")
            path.chmod(0o755)

    def machine(self, *, memory_mib: int, inotify_instances: int) -> None:
        (self.directory / "proc/meminfo").write_text(f"MemFree: 1 kB\nMemAvailable: {memory_mib * 1024} kB\n")
        (self.directory / "proc/sys/fs/inotify/max_user_instances").write_text(f"{inotify_instances}\n")

    def has_cluster(self) -> None:
        (self.directory / "cluster").write_text("podmates-demo")

    def scene(self, **what: object) -> None:
        (self.directory / "scene.json").write_text(
            json.dumps({name.replace("_", " "): it for name, it in what.items()})
        )

    def run(self, *steps: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "podmates", "kind-demo", *steps]
        return subprocess.run(
            command, env=self.environ | environ, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )

    def calls(self, program: str) -> list[dict[str, Any]]:
        path = self.directory / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in map(json.loads, lines) if call["program"] == program]

    def kubectl(self) -> list[str]:
        """What kubectl was told, without the namespace."""
        return [" ".join(call["words"][2:]) for call in self.calls("kubectl")]

    def images(self) -> set[str]:
        """Of all manifests that were applied."""
        return set(re.findall("image: (.*)", (self.directory / "applied").read_text()))


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


class TestBeforeItBegins:
    def test_each_thing_that_is_missing_is_named_at_once(self, stand: Stand) -> None:
        stand.has()
        done = stand.run()
        assert done.returncode == 1
        for words in ("neither docker nor podman works here", "kind is not installed", "kubectl is not installed"):
            assert words in " ".join(done.stdout.split())

    def test_an_engine_that_does_not_work_is_none_and_podman_takes_its_place(self, stand: Stand) -> None:
        stand.has("docker", "podman", "kind", "kubectl")
        stand.scene(broken=["docker"])
        assert stand.run("up").returncode == 0
        assert {call["provider"] for call in stand.calls("kind")} == {"podman"}
        words = [call["words"] for call in stand.calls("podman")]
        assert [each[:2] for each in words if each[0] == "save"] == [["save", "--multi-image-archive"]]
        assert "localhost/podmates/demo-app:0123456789ab" in stand.images()

    def test_images_that_are_not_built_are_named(self, stand: Stand) -> None:
        stand.scene(no_image=IMAGES[1:3])
        done = stand.run("up")
        assert done.returncode == 1
        said = " ".join(done.stdout.split())
        assert f"no image {IMAGES[1]}, {IMAGES[2]}: make images" in said
        assert not stand.calls("kubectl")

    def test_too_little_memory_is_told_only_where_a_cluster_must_be_made(self, stand: Stand) -> None:
        stand.machine(memory_mib=1000, inotify_instances=64)
        said = " ".join(stand.run("up").stdout.split())
        assert "1000 MiB of memory are free, and 3072 are needed" in said
        assert "fs.inotify.max_user_instances is 64" in said
        stand.has_cluster()
        assert stand.run("up", "show").returncode == 0

    def test_where_there_is_no_proc_nothing_is_said_of_it(self, stand: Stand) -> None:
        assert stand.run("up", HOST_PROC="/nowhere").returncode == 0

    def test_what_needs_a_cluster_says_that_there_is_none(self, stand: Stand) -> None:
        done = stand.run("show")
        assert done.returncode == 1
        assert "there is no cluster yet: make kind-demo ARGS=up" in done.stdout
        assert not stand.calls("kubectl")

    def test_an_existing_cluster_must_be_named_reachable_new_enough_and_have_storage(self, stand: Stand) -> None:
        for step in ("up", "down"):
            assert "CLUSTER=existing needs KUBECONFIG" in " ".join(stand.run(step, CLUSTER="existing").stdout.split())
        assert not stand.calls("kubectl"), "whose context would be the user's own"
        theirs = {"CLUSTER": "existing", "KUBECONFIG": "/theirs"}
        stand.scene(minor="28", storage=False)
        said = " ".join(stand.run("up", **theirs).stdout.split())
        assert "the cluster is Kubernetes 1.28, and native sidecars need 1.29 or newer" in said
        assert "no default StorageClass" in said
        stand.scene(broken=["kubectl"])
        assert "the cluster of /theirs does not answer" in " ".join(stand.run("up", **theirs).stdout.split())


class TestUp:
    def test_a_cluster_of_its_own_with_a_pinned_node_and_a_kubeconfig_of_its_own(self, stand: Stand) -> None:
        done = stand.run("up", KUBECONFIG="/home/me/.kube/config")
        assert done.returncode == 0, done.stdout + done.stderr
        create = next(call["words"] for call in stand.calls("kind") if call["words"][0] == "create")
        assert create[create.index("--image") + 1] == NODE
        assert "@sha256:" in NODE
        own = create[create.index("--kubeconfig") + 1]
        assert {call["KUBECONFIG"] for call in stand.calls("kubectl")} == {own} != {"/home/me/.kube/config"}
        first, *_ = [words for words in stand.kubectl() if words.startswith("apply")]
        assert first == "apply --filename -"
        assert "first answer after" in done.stdout

    def test_images_go_to_the_node_under_a_name_that_means_the_same_to_all_and_says_what_is_in_them(
        self, stand: Stand
    ) -> None:
        assert stand.run("up").returncode == 0
        names = [f"localhost/{image.rpartition(':')[0]}:0123456789ab" for image in IMAGES]
        engine = [call["words"] for call in stand.calls("docker")]
        assert [words[1:] for words in engine if words[0] == "tag"] == [
            list(pair) for pair in zip(IMAGES, names, strict=True)
        ]
        (save,) = [words for words in engine if words[0] == "save"]
        assert (save[1], save[3:]) == ("--output", names)
        assert engine[-1] == ["image", "rm", *names], "no name stays that would keep an old image"
        assert stand.calls("kind")[-1]["words"] == ["load", "image-archive", save[2], "--name", "podmates-demo"]
        assert stand.images() == {
            "localhost/podmates/demo-app:0123456789ab",
            "localhost/podmates/demo-database:0123456789ab",
        }

    def test_what_was_built_anew_is_another_image_and_what_runs_later_is_as_the_last_up_had_it(
        self, stand: Stand
    ) -> None:
        assert stand.run("up").returncode == 0
        before = stand.images()
        stand.scene(content="fedcba9876543210")
        assert stand.run("show").returncode == 0
        assert stand.images() == before, "the node has no other"
        assert stand.run("up").returncode == 0
        assert stand.images() - before == {
            "localhost/podmates/demo-app:fedcba987654",
            "localhost/podmates/demo-database:fedcba987654",
        }

    def test_an_existing_cluster_gets_nothing_but_a_namespace_and_images_of_a_registry(self, stand: Stand) -> None:
        theirs = {"CLUSTER": "existing", "KUBECONFIG": "/theirs", "REGISTRY": "registry.example/team"}
        assert stand.run("up", "down", **theirs).returncode == 0
        assert not stand.calls("kind")
        assert not stand.calls("docker")
        assert {call["KUBECONFIG"] for call in stand.calls("kubectl")} == {"/theirs"}
        assert stand.images() == {f"registry.example/team/{image}" for image in IMAGES[-2:]}
        assert stand.kubectl()[-1] == "delete namespace podmates-demo --ignore-not-found"

    def test_half_a_cluster_is_taken_away(self, stand: Stand) -> None:
        stand.scene(half_a_cluster=True)
        assert stand.run("up").returncode == 1
        assert stand.calls("kind")[-1]["words"][:2] == ["delete", "cluster"]
        stand.scene()
        assert stand.run("up").returncode == 0

    def test_a_cluster_that_is_of_no_use_is_told_with_the_way_out(self, stand: Stand) -> None:
        stand.has_cluster()
        stand.scene(no_use=True)
        assert "make kind-demo ARGS=down" in " ".join(stand.run("up").stdout.split())
        assert stand.run("down").returncode == 0

    def test_nothing_is_counted_before_the_app_can_be_asked(self, stand: Stand) -> None:
        stand.scene(reached_after=2, account_after=2)
        assert stand.run("up").returncode == 0
        order = [words.split()[0] for words in stand.kubectl()[:4]]
        assert order == ["apply", "get", "get", "apply"], "no pod before its namespace's service account"
        asked = [words.rpartition("podmates.desk ")[2] for words in stand.kubectl() if "podmates.desk" in words]
        assert asked == ["stats", "stats", "ask /orders/1"]

    def test_what_hangs_is_told_with_events_and_logs(self, stand: Stand) -> None:
        stand.scene(never_ready="deployment/webapp")
        done = stand.run("up")
        assert done.returncode == 1
        assert 'secret "dbproxy" not found' in done.stdout
        assert "webapp-1 is not ready" in done.stdout
        assert "settings_refused" in done.stdout
        assert "timed out waiting for the condition" in " ".join(done.stdout.split())


class TestShowAndBreak:
    def test_the_counted_proof_holds_and_the_steps_come_in_order(self, stand: Stand) -> None:
        done = stand.run()
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("log events written = records received") == 2
        assert "the Job's rows = records received ....... 1000 = 1000" in done.stdout
        words = stand.kubectl()
        switched = [each.rpartition(" ")[2] for each in words if "ambassador_dbproxy switch" in each]
        assert switched == ["test", "prod", "dev"]
        steps = ["replicas=0", "get pods --output=name", "replicas=1", "delete pod webapp-1 --wait=true"]
        assert [step for each in words for step in steps if step in each] == steps
        assert sum(each.endswith("podmates.desk load") for each in words) == 2

    def test_a_record_that_is_missing_is_counted_and_named(self, stand: Stand) -> None:
        stand.has_cluster()
        stand.scene(loses=True, rows=999)
        done = stand.run("show", "--within", "1")
        assert done.returncode == 1
        assert "NO  the Job's rows = records received ....... 1000 = 999" in done.stdout
        assert "NO  log events written = records received ... 3 = 2" in done.stdout
        assert "not received: evt-aa-access-000002" in done.stdout

    def test_a_record_sent_again_needs_an_outage_to_explain_it(self, stand: Stand) -> None:
        stand.has_cluster()
        stand.scene(repeats=True)
        assert "NO  duplicates" in stand.run("show").stdout
        assert (
            "ok  duplicates .............................. 0, 1 sent again and recognised" in stand.run("break").stdout
        )

    def test_an_app_that_stays_where_it_was_is_no_switch(self, stand: Stand) -> None:
        stand.has_cluster()
        stand.scene(stuck_in="dev")
        done = stand.run("show")
        assert done.returncode == 1
        ends = [words for words in stand.kubectl() if words.endswith("podmates.desk finish")]
        assert ends, "the load would go on in its pod"
        assert "the app is not served by test" in done.stdout


class TestWhatCountsAsMade:
    def test_without_a_restart_every_request_must_be_answered_and_logged(self) -> None:
        assert judged({"made": 10, "failed": 2, "unanswered": 2}, 8) == (10, 2)

    @pytest.mark.parametrize(("logged", "made"), [(8, 8), (9, 9), (10, 10), (7, 10), (11, 10)])
    def test_through_one_the_unanswered_may_or_may_not_be_logged(self, logged: int, made: int) -> None:
        assert judged({"made": 10, "failed": 3, "unanswered": 2, "restarts": 1}, logged) == (made, 1)
