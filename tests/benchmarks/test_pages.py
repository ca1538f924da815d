"""The page: what is behind comes first, each figure stands in it, and what people wrote around it stays."""

import re
from pathlib import Path

import pytest

from benchmarks import pages, report, results_files
from benchmarks.outcome import Demand, Outcome, Peer, Row, beside, bound, row

ROWS = [
    row("JSON lines", "rsyslog as documented", {"klines_per_cpu_s": 400, "peak_mib": 9}, ours=False),
    row("JSON lines", "unchanged, plain", {"klines_per_cpu_s": 1600, "peak_mib": 55}, ours=True),
    row("JSON lines", "merged, plain", {"klines_per_cpu_s": 1200, "peak_mib": 70}, ours=True),
]
DEMANDS = [
    *beside(ROWS, "JSON lines", "unchanged, plain", "rsyslog as documented", "klines_per_cpu_s", 5, at_least=True),
    *beside(ROWS, "JSON lines", "merged, plain", "rsyslog as documented", "klines_per_cpu_s", 2.3, at_least=True),
    *beside(ROWS, "JSON lines", "merged, plain", "Fluent Bit best", "klines_per_cpu_s", 1.4, at_least=True),
    *bound(ROWS, "JSON lines", "merged, plain", "peak_mib", 35, at_least=False),
]
GROWN = [
    row("shipper: files", "shipper", {"cpu_us_per_line": value, "peak_mib": 50}, ours=True, size=size)
    for size, value in ((1, 0.5), (10, 0.6), (100, 0.7))
]
PEERS = [Peer("rsyslog", "8.2302.0", {"as documented": "input(…)"}), Peer("Fluent Bit", why_not="not in Debian")]


def outcome(rows: list[Row] = ROWS, demands: list[Demand] = DEMANDS, benchmark: str = "shipper") -> Outcome:
    return results_files.Clock().outcome(benchmark, "the shipper", rows, demands, PEERS, quick=False)


def test_a_demand_is_a_ratio_a_figure_or_cannot_be_said() -> None:
    assert [(each.beside, each.reached, each.met) for each in DEMANDS] == [
        ("rsyslog as documented", 4, False),
        ("rsyslog as documented", 3, True),
        (None, 70, False),
    ]


def test_what_is_behind_comes_first_and_the_worst_before_all() -> None:
    lines = pages.behind([outcome()]).splitlines()
    assert lines[:6:2] == ["1 of 3 demands are met:", "| [Shipper](#the-log-shipper) |", "| 1 of 3 |"]
    assert lines[6] == "Behind, the worst first:"
    assert [line.split(" | ")[1].partition(" (")[0] for line in lines[10:]] == ["merged, plain", "unchanged, plain"]
    shown = report.text(outcome(), colour=True).splitlines()
    assert shown[1] == f"{report.RED}BEHIND {DEMANDS[2]}{report.PLAIN}"


def test_when_nothing_is_behind_the_page_says_so() -> None:
    assert pages.behind([outcome(demands=DEMANDS[1:2])]) == "All 1 demands are met."


def test_the_page_holds_every_figure_the_versions_and_who_did_not_run() -> None:
    text = pages.figures([outcome()])
    for words in ("1,600", "1,200", "rsyslog 8.2302.0", "Fluent Bit (not in Debian)", "**behind: "):
        assert words in text
    assert "input(…)" in pages.setups([outcome()])


def test_what_stands_around_the_markers_stays() -> None:
    text = "before\n<!-- behind: written by python -m benchmarks pages -->\nold\n<!-- behind ends -->\nafter\n"
    assert pages.replaced(text, "behind", r"new \1").splitlines()[::2] == ["before", r"new \1", "after"]
    with pytest.raises(ValueError, match="no place for figures"):
        pages.replaced(text, "figures", "")


def test_the_page_in_the_docs_is_written_anew_with_its_charts(tmp_path: Path) -> None:
    (tmp_path / "benchmarks.md").write_bytes((pages.DOCS / "benchmarks.md").read_bytes())
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/of-a-time-before.svg").touch()
    for each in (outcome(), outcome([*GROWN, *ROWS], [], "growth")):
        results_files.write(each, tmp_path / "results")
    pages.write(tmp_path / "results", tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert text.startswith("# Side by side")
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#(.*?)\)", text)) <= anchors
    linked = set(re.findall(r"\(benchmarks/([^)]+\.svg)\)", text))
    assert linked == {path.name for path in (tmp_path / "benchmarks").iterdir()}
    pages.write(tmp_path / "results", tmp_path)
    assert (tmp_path / "benchmarks.md").read_text() == text


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = outcome()
    assert results_files.read(results_files.write(written, tmp_path)) == written
    assert results_files.read_all(tmp_path) == [written]


def test_sizes_become_lines_and_a_chart_for_each_quantity() -> None:
    grown = outcome(GROWN, [], "growth")
    pictures = dict(pages.pictures_of(grown))
    assert set(pictures) == {"growth-shipper-files-cpu-us-per-line.svg", "growth-shipper-files-peak-mib.svg"}
    text = pages.figures([grown])
    assert all(f"(benchmarks/{name})" in text for name in pictures)
    assert "| 100 | 0.70 | 50.0 |" in text
