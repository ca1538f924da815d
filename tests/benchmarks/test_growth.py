"""Growth is judged by its last step: flat and proportional costs pass, others do not."""

from collections.abc import Sequence

import pytest

from benchmarks.growth import judged
from benchmarks.growth_logs import FILES, FORMATS, SHIPPER
from benchmarks.outcome import Row, row


def points(work: str, name: str, quantity: str, values: Sequence[tuple[float, float]]) -> list[Row]:
    return [row(work, name, {quantity: value}, ours=True, size=size) for size, value in values]


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ([(1, 100), (10, 101), (100, 110), (1000, 200)], True),  # 100 and one for each ten
        ([(1, 100), (10, 100), (100, 100), (1000, 100)], True),
        ([(1, 100), (10, 101), (100, 110), (1000, 1100)], False),  # with the square
        ([(1, 100), (10, 104), (100, 99), (1000, 100)], True),  # noise
    ],
)
def test_a_cost_in_proportion_to_its_cause_passes(values: list[tuple[float, float]], met: bool) -> None:
    rows = [
        Row(each.work, each.name, True, 1, 1, 1, 0, each.figures | {"peak_mib": each.figures["cpu_ms"]}, each.size)
        for each in points(FILES, SHIPPER, "cpu_ms", values)
    ]
    assert [demand.met for demand in judged(rows)] == [met, met]


@pytest.mark.parametrize(("last", "met"), [(2.2, True), (2.9, True), (3.2, False)])
def test_a_cost_that_should_be_flat_is_held_beside_its_beginning(last: float, met: bool) -> None:
    rows = points(FORMATS, "adapter, access log", "cpu_us_per_line", [(1, 2.0), (10, 2.1), (109, last)])
    assert [demand.met for demand in judged(rows)] == [met]


def test_too_few_sizes_are_not_judged() -> None:
    assert not list(judged(points(FILES, SHIPPER, "cpu_ms", [(1, 1), (10, 1)])))
