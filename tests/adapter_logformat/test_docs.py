"""docs/logformat.md says what the program does: its tables come from the code, and its examples are read by it.

When this fails after a change of the settings, the metrics or the catalogue: python -m
tests.adapter_logformat.test_docs.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapter_logformat.convert import formats_table
from adapter_logformat.metrics import LogformatMetrics
from adapter_logformat.pipeline import Tally
from adapter_logformat.settings import Settings
from adapter_logformat.timestamps import Times
from chassis.reference import metrics_table, settings_table, with_table
from chassis.settings import decode
from chassis.sources import parse_yaml
from logtail.chunk import TailStats

PAGE = Path(__file__).parent.parent.parent / "docs/logformat.md"


class AtZero:
    """An adapter that has done nothing yet."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.redacted: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        values: dict[str, Any] = {"tail_stats": TailStats(), "output_counts": {"errors": 0, "rotations": 0}}
        return lambda: values.get(name, 0 if name in ("is_blocked", "unmeasured") else [])


def current(page: str) -> str:
    """`page` with its tables as the code has them."""
    page = with_table(page, settings_table(Settings))
    page = with_table(page, metrics_table(LogformatMetrics(AtZero()).collect()), name="metrics")  # type: ignore[arg-type]
    return with_table(page, formats_table(), name="formats")


def test_the_tables_are_the_codes() -> None:
    page = PAGE.read_text()
    assert current(page) == page


def examples(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("text", examples("yaml"))
def test_every_example_is_read(text: str) -> None:
    assert decode(Settings, parse_yaml(text)).inputs


def test_the_format_that_is_added_reads_its_sample() -> None:
    (code,) = examples("python")
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    (added,) = names["FORMATS"]
    record = added.read(added.sample, Times())
    assert record is not None
    assert (record.body, record.severity_number, record.attributes) == ("water is cold", 13, {"app.cup": 7})


def test_every_link_leads_somewhere() -> None:
    page = PAGE.read_text()
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#(.*?)\)", page)) <= anchors


if __name__ == "__main__":
    PAGE.write_text(current(PAGE.read_text()))
