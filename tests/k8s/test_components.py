"""The kustomize components: what they make of workloads, by the real kustomize, and kept in golden files.

Where there is no kustomize the golden files are still held to the patches and to all rules for manifests. After a
change, python -m tests.k8s.test_components writes them anew; read the difference.
"""

import base64
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.manifests import (
    MATES,
    NATIVE_SINCE,
    ROOT,
    WORKLOADS,
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

COMPONENTS = ROOT / "k8s" / "components"
OVERLAYS = COMPONENTS / "example" / "overlays"
GOLDEN = Path(__file__).parent / "golden"
CASES = {
    path.parent.name: path.parent for path in sorted((Path(__file__).parent / "workloads").glob("*/kustomization.yaml"))
}
CASES |= {f"webapp-{overlay}": OVERLAYS / overlay for overlay in ("dev", "test", "prod")}
KEPT_BY_KUBERNETES_S = 30  # terminationGracePeriodSeconds, where a workload says nothing

needs_kustomize = pytest.mark.skipif(bool(renderer()[1]), reason=renderer()[1])
each_case = pytest.mark.parametrize("case", CASES)


def golden(case: str) -> list[Document]:
    return documents((GOLDEN / f"{case}.yaml").read_text())


def labelled(of: list[Document]) -> Iterator[tuple[set[str], dict[str, Any]]]:
    """The mates that each workload asks for, and its pod."""
    for document in of:
        if document["kind"] in WORKLOADS:
            labels = document["metadata"].get("labels", {})
            yield {mate for mate in MATES if f"podmates/{mate}" in labels}, document["spec"]["template"]["spec"]


@needs_kustomize
@each_case
def test_kustomize_makes_what_is_in_the_golden_file(case: str) -> None:
    assert documents(render(CASES[case])) == golden(case)


@each_case
def test_it_is_valid_restricted_and_complete(case: str) -> None:
    assert_valid(golden(case), NATIVE_SINCE)
    assert_nothing_dangles(golden(case))
    for _, spec in pod_specs(golden(case)):
        assert_restricted(spec)
        assert_our_images(spec)


@each_case
def test_it_holds_every_line_of_the_patches(case: str) -> None:
    """Also where there is no kustomize: a patch that was changed after the golden file is found."""
    for mates, spec in labelled(golden(case)):
        names = [f"{mate}/sidecar.yaml" for mate in mates]
        names += ["logformat/with-shipper.yaml"] if {"logshipper", "logformat"} <= mates else []
        for name in names:
            patch = yaml.safe_load((COMPONENTS / name).read_text())
            assert_holds(spec, patch["spec"]["template"]["spec"], case)


def assert_holds(result: Any, patch: Any, where: str) -> None:
    """All of `patch` is in `result`; what the cases change on purpose aside."""
    if isinstance(patch, dict):
        for key, value in patch.items():
            assert_holds(result[key], value, f"{where}.{key}")
    elif isinstance(patch, list) and patch and isinstance(patch[0], dict):
        key = next(key for key in ("mountPath", "name", "containerPort", "configMapRef") if key in patch[0])
        if key == "configMapRef":
            return assert_holds(result[0], patch[0], where)
        for item in patch:
            (found,) = [each for each in result if each[key] == item[key]]
            assert_holds(found, item, f"{where}[{item[key]}]")
    elif not where.endswith((".limits.memory", "configMap.name", "configMapRef.name", "secret.secretName")):
        assert result == patch, where


@each_case
def test_mates_come_first_and_the_shipper_before_the_adapter(case: str) -> None:
    for mates, spec in labelled(golden(case)):
        expected = [container for mate, container in MATES.items() if mate in mates]
        names = [container["name"] for container in spec.get("initContainers", ())]
        assert names[: len(expected)] == expected
        assert not set(names[len(expected) :]) & set(MATES.values())


@needs_kustomize
@pytest.mark.parametrize("order", [*itertools.permutations(MATES)], ids="-".join)
def test_in_whatever_order_they_are_named_the_shipper_outlives_the_adapter(
    order: tuple[str, ...], tmp_path: Path
) -> None:
    base = os.path.relpath(COMPONENTS, tmp_path)
    workloads = (CASES["ledger"] / "workloads.yaml").read_text()
    (tmp_path / "workloads.yaml").write_text(workloads)
    components = [f"{base}/{mate}" for mate in order]
    generated = [{"name": "dbproxy", "literals": ["dbproxy.yaml={}"]}]
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["workloads.yaml"], "components": components, "configMapGenerator": generated})
    )
    rendered = documents(render(tmp_path))
    (names,) = [
        [container["name"] for container in spec["initContainers"]] for mates, spec in labelled(rendered) if mates
    ]
    assert names.index("shipper") < names.index("adapter")
    assert names[-1] == "migrate", "the app's own come after all mates"


@each_case
def test_the_settings_that_reach_a_mate_are_good(case: str, tmp_path: Path) -> None:
    of = golden(case)
    for _, spec in labelled(of):
        grace = spec.get("terminationGracePeriodSeconds", KEPT_BY_KUBERNETES_S)
        deadlines = [settings.drain.deadline for settings in effective_settings(of, spec, tmp_path).values()]
        assert sum(deadlines) < grace, "one after the other, and the app before them"


class TestOverlays:
    @pytest.mark.parametrize("environment", ["dev", "test", "prod"])
    def test_the_environment_leads_to_its_database(self, environment: str, tmp_path: Path) -> None:
        of = golden(f"webapp-{environment}")
        ((_, spec),) = pod_specs(of)
        settings = effective_settings(of, spec, tmp_path)
        assert settings["dbproxy"].environment == environment
        assert settings["logshipper"].labels == {"app": "?", "env": environment}
        (secret,) = [document for document in of if document["kind"] == "Secret"]
        assert base64.b64decode(secret["data"]["password"]).decode() == f"only-for-the-demo-{environment}"

    def test_they_differ_in_environment_replicas_and_secret_alone(self) -> None:
        assert alike("dev") == alike("test") == alike("prod")

    def test_the_adapters_records_are_what_is_shipped(self, tmp_path: Path) -> None:
        of = golden("webapp-prod")
        ((_, spec),) = pod_specs(of)
        settings = effective_settings(of, spec, tmp_path)
        assert settings["logformat"].output.to == "file:///var/log/podmates/app.jsonl"
        assert settings["logshipper"].files.include == ["/var/log/podmates/*.jsonl"]


def alike(environment: str) -> Any:
    """A golden file without what must differ: replicas, the environment's name and password, and hashes over them."""
    of = golden(f"webapp-{environment}")
    for document in of:
        document["spec"] = {**document.get("spec", {}), "replicas": None}
        if document["kind"] == "Secret":
            document["data"] = None
        elif document["metadata"]["name"].rpartition("-")[0].endswith("-env"):
            document["data"] = {name: value.replace(environment, "") for name, value in document["data"].items()}
    return yaml.safe_load(re.sub(r"(dbproxy|-env)-[a-z0-9]{10}\b", r"\1", yaml.safe_dump(of)))


def test_an_adapter_alone_writes_to_its_standard_output(tmp_path: Path) -> None:
    of = golden("adapter-alone")
    ((_, spec),) = pod_specs(of)
    settings = effective_settings(of, spec, tmp_path)["logformat"]
    assert (settings.output.to, settings.output.profile) == ("stdout:", "ecs")


def test_a_workload_without_the_labels_stays_as_it_is() -> None:
    rendered = dict(pod_specs(golden("ledger")))["bank-neighbour"]
    written = dict(pod_specs(documents((CASES["ledger"] / "workloads.yaml").read_text())))["neighbour"]
    assert rendered == written


def test_your_own_patches_come_after_the_components() -> None:
    spec = dict(pod_specs(golden("ledger")))["bank-ledger"]
    assert spec["initContainers"][0]["resources"]["limits"] == {"memory": "128Mi"}


if __name__ == "__main__":
    for name, folder in CASES.items():
        (GOLDEN / f"{name}.yaml").write_text(render(folder))
