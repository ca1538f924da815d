"""The alerts: they fire when they shall and not else, promtool says; and each leads to its chapter of the runbook."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.observed import FOLDER, alerts, expressions, rule_files

CASES = Path(__file__).parent / "alerts"
ROOT = FOLDER.parent.parent

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing (package prometheus)")


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """The alert that is asked for, and what is expected."""
    for path in CASES.glob("*.yaml"):
        for group in yaml.safe_load(path.read_text())["tests"]:
            for test in group["promql_expr_test"]:
                (name,) = re.findall(r'^ALERTS{alertname="(\w+)", alertstate="firing"}$', test["expr"])
                assert group["name"].startswith(f"{name}, "), "a case is named after its alert"
                yield name, test


@needs_promtool
@pytest.mark.parametrize("name", rule_files())
def test_they_fire_when_they_shall(name: str, tmp_path: Path) -> None:
    rules = tmp_path / f"{name}.yaml"
    rules.write_text(yaml.safe_dump(rule_files()[name]["spec"]))
    promtool("check", "rules", "--lint=all", "--lint-fatal", rules)
    tests = tmp_path / f"{name}.test.yaml"
    shutil.copy(CASES / f"{name}.yaml", tests)
    promtool("test", "rules", tests)


def test_each_has_a_case_in_which_it_fires_and_one_in_which_not() -> None:
    firing = {name for name, test in cases() if test["exp_samples"]}
    silent = {name for name, test in cases() if not test["exp_samples"]}
    assert firing == silent == alerts().keys()


@needs_promtool
def test_every_expression_of_the_dashboards_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"dashboard:query:{at}", "expr": text} for at, text in enumerate(expressions().values())]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", file)


@needs_promtool
def test_a_prometheus_without_the_operator_takes_our_configuration(tmp_path: Path) -> None:
    """All but `kubernetes_sd_configs`, which Debian's is built without."""
    configuration = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    for job in configuration["scrape_configs"]:
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump(configuration))
    promtool("check", "config", file)


@pytest.mark.parametrize("name", alerts())
def test_it_says_what_happened_and_what_to_do(name: str) -> None:
    rule = alerts()[name]
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    titles = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {title.lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", alerts())
def test_the_labels_in_its_words_are_there_when_it_fires(name: str) -> None:
    words = " ".join(alerts()[name]["annotations"].values())
    for case, test in cases():
        for sample in test["exp_samples"] if case == name else ():
            assert set(re.findall(r"\$labels\.(\w+)", words)) <= set(re.findall(r"(\w+)=", sample["labels"]))


def test_the_runbook_has_a_chapter_for_each_and_its_links_lead_somewhere() -> None:
    page = (FOLDER / "RUNBOOK.md").read_text()
    chapters = re.findall(r"^### (.*)$", page, re.MULTILINE)
    assert chapters == list(dict.fromkeys(chapters))
    assert set(chapters) == alerts().keys()
    assert set(re.findall(r"\]\(#(.*?)\)", page)) <= {chapter.lower() for chapter in chapters}


def test_the_files_are_what_the_operator_reads() -> None:
    for name, document in rule_files().items():
        assert document.keys() == {"apiVersion", "kind", "metadata", "spec"}
        assert (document["apiVersion"], document["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
        assert document["metadata"] == {"name": f"podmates-{name}"}
        assert [group.keys() for group in document["spec"]["groups"]] == [{"name", "rules"}]
