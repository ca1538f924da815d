"""Alerts, dashboards and PodMonitors speak of metrics, labels, values and ports that there are: the mates are asked."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.manifests import ROOT, documents
from tests.k8s.observed import FOLDER, MATES, alerts, dashboards, expressions, queries
from tests.k8s.promql import asked
from tests.k8s.rendering import render, renderer
from tests.k8s.scraped import PACKAGES, Series, series_of_all_mates

PODMONITORS = list(yaml.safe_load_all((FOLDER / "podmonitors.yaml").read_text()))
BY_PROMETHEUS = {"namespace", "pod", "container", "job", "instance", "endpoint"}
BY_PODMONITOR = {"mate"}
ANY_VALUE = {"listener", "environment", "server", "listen", "rule", "version", *BY_PROMETHEUS}
"""Labels whose values come from settings or from the pod; the values of all others are the code's."""

LONGEST_ANNOTATION = 262_144

needs_kustomize = pytest.mark.skipif(bool(renderer()[1]), reason=renderer()[1])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Series]:
    return series_of_all_mates(tmp_path_factory.mktemp("mates"))


@pytest.fixture(scope="module")
def known(shown: dict[str, Series]) -> Series:
    """All series of all mates, with the labels that they get on their way."""
    all_series: Series = {"up": {}}
    for mate in shown.values():
        all_series |= mate
    given = {label: {"?"} for label in BY_PROMETHEUS} | {"mate": set(MATES)}
    return {name: labels | given for name, labels in all_series.items()}


@pytest.mark.parametrize("place", expressions())
def test_every_metric_label_and_value_is_the_codes(place: str, known: Series) -> None:
    found = asked(expressions()[place])
    assert found.matchers
    assert found.matchers.keys() <= known.keys()
    labels: set[str] = set()
    for metric, matchers in found.matchers.items():
        labels |= known[metric].keys()
        for label, how, value in matchers:
            assert label in known[metric], f"{metric} has no label {label}"
            if label not in ANY_VALUE and re.fullmatch(r"[\w|]+", value):
                assert set(value.split("|")) <= known[metric][label], f"{metric}{{{label}{how}{value!r}}}"
    assert found.grouping <= labels


@pytest.mark.parametrize("name", alerts())
def test_labels_in_words_are_the_metrics(name: str, known: Series) -> None:
    rule = alerts()[name]
    labels = {label for metric in asked(rule["expr"]).matchers for label in known[metric]}
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= labels


@pytest.mark.parametrize("mate", MATES)
def test_a_dashboard_shows_everything_its_mate_counts(mate: str, shown: dict[str, Series]) -> None:
    asked_for = {metric for _, text in queries(dashboards()[f"podmates-{mate}"]) for metric in asked(text).matchers}
    own = {name for name in shown[mate] if name.startswith(f"{mate}_") and not name.endswith("_created")}
    assert own <= asked_for


@pytest.mark.parametrize("name", dashboards())
def test_a_dashboard_is_complete_in_itself(name: str) -> None:
    dashboard = dashboards()[name]
    assert dashboard["uid"] == name, "one of its own, so that none replaces another"
    assert "id" not in dashboard, "Grafana gives it"
    assert dashboard["title"].startswith("Podmates / ")
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    assert variables == {"datasource", "namespace", "pod"}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(dashboard)))
    assert used <= variables
    assert {source["uid"] for source in _every(dashboard, "datasource")} == {"${datasource}"}


def _every(tree: Any, key: str) -> Iterator[Any]:
    """What stands under `key`, wherever that is."""
    if isinstance(tree, dict):
        yield from ([tree[key]] if key in tree else [])
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _every(inner, key)


@pytest.mark.parametrize("name", dashboards())
def test_its_panels_have_a_place_and_an_explanation(name: str) -> None:
    panels = dashboards()[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        squares = {(x, y) for x in _span(place, "x", "w") for y in _span(place, "y", "h")}
        assert max(x for x, _ in squares) < 24
        assert not taken & squares, f"{panel['title']} lies on another"
        taken |= squares
        assert panel["type"] == "row" or (panel["description"] and panel["targets"])


def _span(place: dict[str, int], start: str, length: str) -> range:
    return range(place[start], place[start] + place[length])


def test_one_podmonitor_for_each_mate_by_its_named_port() -> None:
    ports = set(re.findall(r"name: (\w+-ops)", Path(FOLDER.parent / "examples" / "three-mates.yaml").read_text()))
    found: dict[str, Any] = {}
    for document in PODMONITORS:
        assert document.keys() == {"apiVersion", "kind", "metadata", "spec"}
        assert (document["apiVersion"], document["kind"]) == ("monitoring.coreos.com/v1", "PodMonitor")
        assert document["spec"].keys() == {"namespaceSelector", "selector", "podMetricsEndpoints"}
        (endpoint,) = document["spec"]["podMetricsEndpoints"]
        assert endpoint.keys() == {"port", "path", "interval", "relabelings"}
        (relabeling,) = endpoint["relabelings"]
        assert relabeling["targetLabel"] in BY_PODMONITOR
        assert document["metadata"] == {"name": f"podmates-{relabeling['replacement']}"}
        found[relabeling["replacement"]] = endpoint["port"]
    assert found == {mate: f"{mate}-ops" for mate in MATES}
    assert ports == set(found.values())


def test_the_operator_and_a_plain_prometheus_make_the_same_labels() -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]
    made = {rule["target_label"] for rule in job["relabel_configs"] if "target_label" in rule}
    assert made == {"namespace", "pod", "container"} | BY_PODMONITOR
    (kept,) = [rule["regex"] for rule in job["relabel_configs"] if rule.get("action") == "keep"]
    assert all(re.fullmatch(kept, f"{mate}-ops") for mate in MATES)


def test_everything_is_in_the_kustomization() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    (generated,) = kustomization["configMapGenerator"]
    named = {*kustomization["resources"], *generated["files"]}
    there = {str(path.relative_to(FOLDER)) for path in [*FOLDER.rglob("*.yaml"), *FOLDER.rglob("*.json")]}
    assert named == there - {"kustomization.yaml", "prometheus.yaml"}


@needs_kustomize
def test_kubectl_can_apply_it() -> None:
    of = documents(render(FOLDER))
    kinds = [document["kind"] for document in of]
    assert sorted(kinds) == ["ConfigMap", *["PodMonitor"] * 3, *["PrometheusRule"] * 4]
    (dashboards_,) = [document for document in of if document["kind"] == "ConfigMap"]
    assert dashboards_["data"].keys() == {f"podmates-{mate}.json" for mate in MATES}
    assert len(json.dumps(dashboards_)) < LONGEST_ANNOTATION, "kubectl keeps what it applied in one"


def test_what_the_runbook_names_is_the_codes(known: Series) -> None:
    """Events, reasons, settings, metrics: every word in it that is written like a name of the code."""
    words = set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", (FOLDER / "RUNBOOK.md").read_text()))
    words -= {*PACKAGES.values(), *known, "http_401", "http_403", "http_404", "http_405"}
    packages = (*PACKAGES.values(), "logtail", "chassis")
    code = "\n".join(path.read_text() for package in packages for path in (ROOT / package).rglob("*.py"))
    assert not {word for word in words if word not in code}
