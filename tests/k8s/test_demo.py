"""The demo in a cluster, as it is applied: valid, restricted, complete, and walled in as it says."""

from pathlib import Path
from typing import Any

import pytest

from podmates.cluster import NAMESPACE
from podmates.kind_demo import DATABASES, DESK, JOB
from tests.k8s.manifests import (
    NATIVE_SINCE,
    ROOT,
    Document,
    assert_nothing_dangles,
    assert_our_images,
    assert_restricted,
    assert_valid,
    documents,
    effective_settings,
    pod_specs,
)
from tests.k8s.rendering import render, renderer

GOLDEN = Path(__file__).parent / "golden"
CASES = {"demo": ROOT / "k8s/demo", "demo-report": ROOT / "k8s/demo/report"}
DATABASES_FILE = ROOT / "k8s/examples/databases.yaml"

each_case = pytest.mark.parametrize("case", CASES)


def golden(case: str) -> list[Document]:
    return documents((GOLDEN / f"{case}.yaml").read_text())


def of_kind(of: list[Document], kind: str) -> dict[str, Any]:
    return {document["metadata"]["name"]: document for document in of if document["kind"] == kind}


@each_case
def test_what_is_rendered_is_what_was_looked_at(case: str) -> None:
    if why := renderer()[1]:
        pytest.skip(why)
    assert render(CASES[case]) == (GOLDEN / f"{case}.yaml").read_text(), "look, then: python -m tests.k8s.test_demo"


@each_case
def test_valid_restricted_complete_and_in_its_namespace(case: str) -> None:
    of = golden(case)
    assert_valid(of, NATIVE_SINCE)
    assert_nothing_dangles(of)
    for _, spec in pod_specs(of):
        assert_restricted(spec)
        assert_our_images(spec)
    names = {document["metadata"].get("namespace", document["metadata"]["name"]) for document in of}
    assert names == {NAMESPACE}


def test_the_namespace_lets_only_restricted_pods_in() -> None:
    (namespace,) = of_kind(golden("demo"), "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_three_mates_start_in_the_order_that_stops_the_shipper_last(tmp_path: Path) -> None:
    of = golden("demo")
    spec = dict(pod_specs(of))["webapp"]
    assert [container["name"] for container in spec["initContainers"]] == ["shipper", "adapter", "ambassador"]
    settings = effective_settings(of, spec, tmp_path)
    assert settings["logshipper"].sink.url == "http://victorialogs:9428"
    assert settings["logshipper"].sink.message_field == "body", "where the adapter writes what was said"
    assert sum(each.drain.deadline for each in settings.values()) < spec["terminationGracePeriodSeconds"]
    places = settings["dbproxy"].listeners[0].environments
    assert [f"pod/{place.hosts[0].host}" for place in places.values()] == list(DATABASES)


def test_passwords_are_those_of_the_databases() -> None:
    (ours,) = of_kind(golden("demo"), "Secret").values()
    (theirs,) = of_kind(documents(DATABASES_FILE.read_text()), "Secret").values()
    assert ours["data"].keys() == theirs["stringData"].keys()


def test_what_the_story_names_is_there() -> None:
    of = golden("demo")
    assert {"webapp", "victorialogs"} == of_kind(of, "Deployment").keys() == of_kind(of, "Service").keys()
    assert DESK[1] in of_kind(of, "Pod")
    assert JOB in of_kind(golden("demo-report"), "Job")


class TestWhoMaySpeakToWhom:
    WALLS = of_kind(golden("demo"), "NetworkPolicy") if (GOLDEN / "demo.yaml").exists() else {}

    def labelled(self, selector: Document) -> set[str]:
        values = selector.get("matchLabels", {}).values()
        return {*values, *(value for each in selector.get("matchExpressions", ()) for value in each["values"])}

    def ways(self, direction: str, other: str) -> set[tuple[str, str, int]]:
        """Who, to or from whom, on which port, as the policies allow it."""
        return {
            (who, whom, port["port"])
            for wall in self.WALLS.values()
            for who in self.labelled(wall["spec"]["podSelector"])
            for rule in wall["spec"].get(direction, ())
            for peer in rule[other]
            for whom in self.labelled(peer.get("podSelector", {}))
            for port in rule["ports"]
        }

    def test_nothing_is_allowed_unless_it_is_said(self) -> None:
        assert self.WALLS["nothing-else"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def test_every_way_out_is_a_way_in_at_its_other_end(self) -> None:
        out = self.ways("egress", "to")
        into = {(source, target, port) for target, source, port in self.ways("ingress", "from")}
        assert out == into
        assert {(source, target) for source, target, _ in out} == {
            ("webapp", "pg-dev"), ("webapp", "pg-test"), ("webapp", "pg-prod"), ("webapp", "victorialogs"),
            ("report", "victorialogs"), ("desk", "webapp"), ("desk", "victorialogs"),
        }  # fmt: skip

    def test_every_label_is_that_of_some_pod(self) -> None:
        everything = [*golden("demo"), *golden("demo-report"), *documents(DATABASES_FILE.read_text())]
        bodies = [
            each["spec"].get("template", each) for each in everything if each["kind"] in ("Pod", "Deployment", "Job")
        ]
        labels = {each["metadata"]["labels"]["app.kubernetes.io/name"] for each in bodies}
        named = {name for way in self.ways("egress", "to") | self.ways("ingress", "from") for name in way[:2]}
        assert named == labels


if __name__ == "__main__":
    for name, folder in CASES.items():
        (GOLDEN / f"{name}.yaml").write_text(render(folder))
