"""docs/logshipper.md says what the program does: its tables come from the code, and its examples are read by it.

When this fails after a change of the settings: python -m chassis.reference sidecar_logshipper.settings:Settings
--into docs/logshipper.md; of the metrics: python -m tests.sidecar_logshipper.test_docs.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chassis.reference import metrics_table, settings_table, with_table
from chassis.settings import decode
from chassis.sources import interpolate, parse_yaml
from logtail.chunk import TailStats
from sidecar_logshipper.ledger import Ledger
from sidecar_logshipper.metrics import LogshipperMetrics
from sidecar_logshipper.settings import Settings

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs/logshipper.md"


class AtZero:
    """A shipper that has done nothing yet."""

    ledger = Ledger()

    def __getattr__(self, name: str) -> Any:
        values = {"tail_stats": TailStats(), "outcomes": Counter()}
        return lambda: values.get(name, 0)


def table_of_metrics() -> str:
    return metrics_table(LogshipperMetrics(AtZero()).collect())  # type: ignore[arg-type]


def test_the_settings_are_the_codes() -> None:
    page = PAGE.read_text()
    assert with_table(page, settings_table(Settings)) == page


def test_the_metrics_are_the_codes() -> None:
    page = PAGE.read_text()
    assert with_table(page, table_of_metrics(), name="metrics") == page


def examples() -> list[Any]:
    return [parse_yaml(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)]


@pytest.mark.parametrize("tree", examples(), ids=lambda tree: tree["sink"]["type"])
def test_every_example_is_read(tree: dict[str, Any]) -> None:
    settings = decode(Settings, interpolate({"files": {"include": ["/log/*.log"]}} | tree, {}, "", []))
    assert settings.sink.__struct_config__.tag == tree["sink"]["type"]


def test_every_sink_has_an_example() -> None:
    shown = {tree["sink"]["type"] for tree in examples()} | {"opensearch"}  # which is elasticsearch's
    (row,) = re.findall(r"^\| `sink\.type` \| (.*?) \|", settings_table(Settings), re.MULTILINE)
    assert shown == set(re.findall("`(.*?)`", row))


def test_every_warning_is_explained() -> None:
    sources = [
        path.read_text() for package in ("logtail", "sidecar_logshipper") for path in (ROOT / package).rglob("*.py")
    ]
    told = re.compile(
        r"""\.(?:warning|error)\(\s*"(\w+)"|\(\[?\(?"(?:warning|error)", "(\w+)"|else "warning", "(\w+)\""""
    )
    events = {"".join(names) for source in sources for names in told.findall(source)}
    assert {"sink_unavailable", "file_gone", "checkpoint_unusable", "file_deleted"} <= events
    page = PAGE.read_text()
    assert {event for event in events if f"`{event}`" not in page} == set()


def test_every_link_leads_somewhere() -> None:
    page = PAGE.read_text()
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#(.*?)\)", page)) <= anchors


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(), table_of_metrics(), name="metrics"))
