"""Charts: whole SVG documents, with what they show as text in them, on axes that people can read."""

import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks.charts import Bar, Series, bars, lines, nice_ticks, shown

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_bars_tell_their_names_and_values_and_escape_them() -> None:
    group = [Bar("a <peer>", 400, 390, 420, ours=False), Bar("ours & yours", 2020, 1800, 2200, ours=True)]
    picture = bars("Speed", [("JSON lines", group)], mark=1000)
    assert {"Speed", "JSON lines", "a <peer>", "ours & yours", "400", "2,020"} <= set(texts(picture))
    rectangles = [
        (element.get("class"), float(element.get("width", "0")))
        for element in ElementTree.fromstring(picture).iter(f"{SVG}rect")
    ]
    assert [kind for kind, _ in rectangles] == ["fill-other", "fill-ours"]
    assert rectangles[1][1] / rectangles[0][1] == pytest.approx(2020 / 400, rel=0.01)


def test_a_bar_far_beyond_the_mark_is_cut_and_keeps_its_figure() -> None:
    group = [Bar("a peer", 8.15, 8.1, 8.2, ours=False), Bar("ours", 1.66, 1.6, 1.7, ours=True)]
    picture = bars("Cost", [("connect", group)], mark=1.0)
    assert {"8.15 →", "1.66"} <= set(texts(picture))
    cut, whole = (float(each.get("width", "0")) for each in ElementTree.fromstring(picture).iter(f"{SVG}rect"))
    assert cut / whole == pytest.approx(4 / 1.66, rel=0.01)


def test_no_figure_stands_across_the_mark() -> None:
    picture = bars("Cost", [("simple", [Bar("a peer", 0.95, 0.9, 0.98, ours=False)])], mark=1.0)
    tree = ElementTree.fromstring(picture)
    (line,) = [float(each.get("x1", "0")) for each in tree.iter(f"{SVG}line") if each.get("class") == "mark"]
    (figure,) = [float(each.get("x", "0")) for each in tree.iter(f"{SVG}text") if each.text == "0.95"]
    assert figure > line


def test_lines_stand_on_a_logarithmic_axis() -> None:
    picture = lines("Cost", "files", "µs", [Series("shipper", [(1, 1), (100, 2), (10_000, 3)], ours=True)])
    assert {"Cost", "files", "shipper", "1", "100", "10,000"} <= set(texts(picture))
    across = [float(element.get("cx", "0")) for element in ElementTree.fromstring(picture).iter(f"{SVG}circle")]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)


def test_an_empty_chart_is_a_chart() -> None:
    assert texts(bars("Nothing", []))[0] == "Nothing"


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (2222, [0, 500, 1000, 1500, 2000, 2500]),
        (1.19, [0, 0.25, 0.5, 0.75, 1, 1.25]),
        (0, [0, 1]),
        (10, [0, 2, 4, 6, 8, 10]),
    ],
)
def test_ticks_are_round(highest: float, ticks: list[float]) -> None:
    assert nice_ticks(highest) == pytest.approx(ticks)


def test_numbers_are_short() -> None:
    assert [shown(value) for value in (0, 1.064, 12.34, 99.96, 123.4, 12345)] == [
        "0",
        "1.06",
        "12.3",
        "100.0",
        "123",
        "12,345",
    ]
