"""The load: which requests are made, and what counts as answered."""

from collections import Counter

import pytest

from podmates.load import is_expected, target


def test_the_requests_are_mostly_orders_with_some_failures_among_them() -> None:
    paths = Counter(target(number).split("/")[1] for number in range(1000))
    assert paths == {"orders": 920, "price": 40, "invoice": 40}


def test_some_orders_do_not_exist() -> None:
    assert {int(target(n).rpartition("/")[2]) for n in range(10_000)} > {1, 200, 201, 210}


@pytest.mark.parametrize(
    ("path", "status", "good"),
    [
        ("/orders/1", 200, True),
        ("/orders/201", 404, True),
        ("/orders/1", 503, False),
        ("/orders/1", 0, False),
        ("/price/8", 500, True),
        ("/price/8", 200, False),
        ("/invoice/20", 502, True),
    ],
)
def test_what_is_an_expected_answer(path: str, status: int, good: bool) -> None:
    assert is_expected(path, status) is good
