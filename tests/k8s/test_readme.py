"""k8s/README.md: the newcomer's path is rendered as it is written there, and what it says of settings is so."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis import __version__
from tests.k8s.manifests import (
    NATIVE_SINCE,
    ROOT,
    assert_nothing_dangles,
    assert_our_images,
    assert_valid,
    documents,
    effective_settings,
    pod_specs,
)
from tests.k8s.rendering import render, renderer

PAGE = (ROOT / "k8s" / "README.md").read_text()
COMMANDS = re.findall(r"^\$ (.*?)(?:\s+#.*)?$", PAGE, re.MULTILINE)

needs_kustomize = pytest.mark.skipif(bool(renderer()[1]), reason=renderer()[1])


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with the checkout and the reader's files in it, as the page says."""
    (tmp_path / "podmates").symlink_to(ROOT)
    for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        file = tmp_path / re.match(r"# (\S+)\n", text)[1]  # type: ignore[index]
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


@needs_kustomize
def test_my_app_gets_its_shipper(beside: Path, tmp_path: Path) -> None:
    of = documents(render(beside / "my-app"))
    assert_valid(of, NATIVE_SINCE)
    assert_nothing_dangles([_with_resources(document) for document in of])
    ((_, spec),) = pod_specs(of)
    assert_our_images({**spec, "containers": []})
    assert [container["name"] for container in spec["initContainers"]] == ["shipper"]
    assert spec["containers"][0]["volumeMounts"][0]["name"] == "app-logs"
    assert effective_settings(of, spec, tmp_path)["logshipper"].sink.url == "http://logserver:8514/logs"


def _with_resources(document: Any) -> Any:
    """The reader's app need not say how much it takes."""
    for container in document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ()):
        container.setdefault("resources", {})
    return document


@needs_kustomize
def test_the_lines_that_are_commented_out_lead_to_another_log_server_and_registry(beside: Path, tmp_path: Path) -> None:
    file = beside / "my-app" / "kustomization.yaml"
    file.write_text(re.sub(r"^# (images:|configMapGenerator:|  - )", r"\1", file.read_text(), flags=re.MULTILINE))
    of = documents(render(beside / "my-app"))
    ((_, spec),) = pod_specs(of)
    assert spec["initContainers"][0]["image"] == f"registry.example/my-team/logshipper:{__version__}"
    sink = effective_settings(of, spec, tmp_path)["logshipper"].sink
    assert (sink.__struct_config__.tag, sink.url) == ("loki", "http://loki:3100")


@needs_kustomize
def test_a_settings_file_is_replaced_one_layer_up(beside: Path, tmp_path: Path) -> None:
    (generator,) = re.findall(r"`configMapGenerator: (.*?)`", PAGE, re.DOTALL)
    above = beside / "above"
    above.mkdir()
    mine = "files: {include: [/var/log/app/*.txt]}\nsink: {type: stdout}\n"
    (above / "logshipper.yaml").write_text(mine)
    layer = {"resources": ["../my-app"], "configMapGenerator": yaml.safe_load(generator)}
    (above / "kustomization.yaml").write_text(yaml.safe_dump(layer))
    of = documents(render(above))
    ((_, spec),) = pod_specs(of)
    assert effective_settings(of, spec, tmp_path)["logshipper"].files.include == ["/var/log/app/*.txt"]


@needs_kustomize
@pytest.mark.parametrize(
    ("written", "volume"),
    [
        ("emptyDir: {sizeLimit: 2Gi}", {"emptyDir": {"sizeLimit": "2Gi"}}),
        ("emptyDir: null, persistentVolumeClaim: {claimName: mine}", {"persistentVolumeClaim": {"claimName": "mine"}}),
    ],
)
def test_the_volume_of_the_logs_is_yours_to_change(written: str, volume: Any, beside: Path) -> None:
    patch = beside / "my-app" / "app-logs.yaml"
    patch.write_text(patch.read_text().replace("emptyDir: {sizeLimit: 2Gi}", written))
    (patches,) = re.findall(r"`(patches: .*?)`", PAGE)
    with (beside / "my-app" / "kustomization.yaml").open("a") as kustomization:
        kustomization.write(patches)
    of = documents(render(beside / "my-app"))
    assert_valid(of, NATIVE_SINCE)
    ((_, spec),) = pod_specs(of)
    assert [each for each in spec["volumes"] if each["name"] == "app-logs"] == [{"name": "app-logs", **volume}]


@needs_kustomize
def test_an_address_before_the_runbook_is_one_before_each_alerts() -> None:
    ((what, address),) = re.findall(r"sed 's\|(.*?)\|&(.*?)\|'", PAGE)
    of = documents(re.sub(what, rf"\g<0>{address}", render(ROOT / "k8s" / "observability")))
    urls = [
        rule["annotations"]["runbook_url"]
        for document in of
        if document["kind"] == "PrometheusRule"
        for group in document["spec"]["groups"]
        for rule in group["rules"]
    ]
    assert urls
    assert all(re.fullmatch(re.escape(address) + r"k8s/observability/RUNBOOK\.md#\w+", url) for url in urls)


def test_every_file_and_folder_in_the_commands_is_there() -> None:
    named = {path for command in COMMANDS for path in re.findall(r"(?<=podmates/)k8s/\S+", command)}
    assert {path.split("/")[1] for path in named} == {"components", "examples", "observability"}
    assert not [path for path in named if not (ROOT / path).exists()]


def test_every_link_leads_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", PAGE, re.M)
    }
    for target in re.findall(r"\]\((.*?)\)", PAGE):
        path, _, anchor = target.partition("#")
        assert (ROOT / "k8s" / path).exists() if path else anchor in anchors
