"""docs/dbproxy.md says what the program does: its tables come from the code, and its examples are read by it.

When this fails after a change of the settings: python -m chassis.reference ambassador_dbproxy.settings:Settings
--into docs/dbproxy.md; of the metrics: python -m tests.ambassador_dbproxy.test_docs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import CapturingLogger

from ambassador_dbproxy.ambassador import Ambassador
from ambassador_dbproxy.commands import NAMES
from ambassador_dbproxy.settings import Settings
from chassis.command import Context
from chassis.lifecycle import Phase
from chassis.reference import metrics_table, settings_table, with_table
from chassis.settings import decode
from chassis.sources import interpolate, parse_yaml
from tests.mate_process import ROOT, MateProcess

PAGE = Path(__file__).parent.parent.parent / "docs/dbproxy.md"


def examples() -> list[Any]:
    return [parse_yaml(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)]


def settings(tree: Any) -> Settings:
    return decode(Settings, interpolate(tree, {}, "", []))


def table_of_metrics() -> str:
    """Those of the first example: its ambassador is made and not started."""
    registry = CollectorRegistry()
    context = Context(registry, CapturingLogger(), stop=lambda reason: None, phase=lambda: Phase.STARTING)
    Ambassador(settings(examples()[0]), context)
    return metrics_table(sorted(registry.collect(), key=lambda metric: metric.name))


def test_the_settings_are_the_codes() -> None:
    page = PAGE.read_text()
    assert with_table(page, settings_table(Settings)) == page


def test_the_metrics_are_the_codes() -> None:
    page = PAGE.read_text()
    assert with_table(page, table_of_metrics(), name="metrics") == page


@pytest.mark.parametrize("tree", examples(), ids=lambda tree: tree["listeners"][0]["protocol"])
def test_every_example_is_read(tree: Any) -> None:
    assert settings(tree).listeners[0].name == tree["listeners"][0]["name"]


def test_every_protocol_has_an_example() -> None:
    shown = {tree["listeners"][0]["protocol"] for tree in examples()}
    (row,) = re.findall(r"^\| `listeners\[\]\.protocol` \| (.*?) \|", settings_table(Settings), re.MULTILINE)
    assert shown == set(re.findall("`(.*?)`", row))


def test_the_commands_of_the_start(tmp_path: Path) -> None:
    """As they are written, but for the ports, in their order: checked, started, asked, led elsewhere."""
    (block,) = re.findall(r"## Start\n.*?```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    check, serve, *later = [line.partition("#")[0].split()[1:] for line in block.splitlines()]
    assert serve == ["ambassador-dbproxy", "--config", "dbproxy.yaml"]
    environ = {
        "DBPROXY__LISTENERS__0__LISTEN": f"unix://{tmp_path}/listen.sock",
        "DBPROXY__OPS__LISTEN": f"unix://{tmp_path}/ops.sock",
        "PYTHONPATH": str(ROOT),
    }

    def said(command: list[str]) -> str:
        assert command[0] == "ambassador-dbproxy"
        run = [sys.executable, "-m", "ambassador_dbproxy", *command[1:]]
        done = subprocess.run(
            run, cwd=tmp_path, env={**os.environ, **environ}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    started = MateProcess("ambassador_dbproxy", tmp_path / serve[-1], examples()[0], environ)
    try:
        assert said(check) == "dbproxy.yaml: settings are good\n"
        assert started.event("ready")["environment"] == "dev"
        told = [said(command) for command in later]
        assert told[0].startswith("environment dev, ready\n\norders: postgres on unix://")
        assert "server    localhost:15432: " in told[0]
        assert told[1:] == ["switched from dev to prod; 0 sessions end at their next quiet moment\n"]
        assert started.stop() == 0
    finally:
        started.kill()


def test_the_help_names_the_commands() -> None:
    run = [sys.executable, "-m", "ambassador_dbproxy", "--help"]
    said = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  ([a-z]+) ", said, re.MULTILINE) == list(NAMES)


def test_every_link_leads_somewhere() -> None:
    page = PAGE.read_text()
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#(.*?)\)", page)) <= anchors


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(), table_of_metrics(), name="metrics"))
