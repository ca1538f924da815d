"""Waiting times between tries."""

from itertools import islice

from chassis.backoff import full_jitter


def test_the_ceiling_doubles_up_to_the_cap() -> None:
    assert list(islice(full_jitter(0.2, 2.0, lambda: 1.0), 6)) == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_chance_draws_from_the_whole_span() -> None:
    assert list(islice(full_jitter(1.0, 8.0, lambda: 0.0), 3)) == [0.0, 0.0, 0.0]
    assert list(islice(full_jitter(1.0, 8.0, lambda: 0.5), 3)) == [0.5, 1.0, 2.0]


def test_a_cap_below_the_first_wait_holds() -> None:
    assert list(islice(full_jitter(10.0, 1.0, lambda: 1.0), 2)) == [1.0, 1.0]
