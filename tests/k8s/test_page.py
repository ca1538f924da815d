"""docs/kubernetes.md: what it tells people to write is valid and complete, and what it says was validated, was."""

import re

import kubernetes_validate
import yaml

from tests.k8s.manifests import CLASSIC_SINCE, NATIVE_SINCE, ROOT, Document, assert_nothing_dangles, assert_valid

PAGE = (ROOT / "docs/kubernetes.md").read_text()


def deployment_by_hand() -> Document:
    """The pod template of the page in a Deployment, with what only the reader knows filled in."""
    (text,) = re.findall(r"```yaml\n(spec:\n.*?)```", PAGE, re.DOTALL)
    template = {"metadata": {"labels": {"app": "mine"}}, **yaml.safe_load(text)}
    (app,) = template["spec"]["containers"]
    app |= {"image": "mine:1", "resources": {}}
    selector = {"matchLabels": {"app": "mine"}}
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mine"}}
    return {**workload, "spec": {"selector": selector, "template": template}}


def test_the_mate_by_hand_is_valid_and_nothing_dangles() -> None:
    deployment = deployment_by_hand()
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shipper-settings"}}
    assert_valid([deployment, settings], NATIVE_SINCE)
    assert_nothing_dangles([deployment, settings])


def test_the_versions_it_names_are_those_that_are_validated() -> None:
    newest = kubernetes_validate.latest_version().rpartition(".")[0]
    said = " ".join(PAGE.split())
    assert f"{NATIVE_SINCE} and {newest} for the native form, {CLASSIC_SINCE} and {newest} for the classic one" in said


def test_its_links_lead_somewhere() -> None:
    heads = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^## (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE)) <= heads
    for path in re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE):
        assert (ROOT / "docs" / path).exists(), path
