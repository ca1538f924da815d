"""Acknowledgements in any order, as a transcript; `committed` only moves over a prefix without gaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtail.acks import Acks


def three() -> Acks:
    acks = Acks(100)
    acks.hand_out(100, 110, b"a", at=1.0)
    acks.hand_out(110, 120, b"b", at=2.0)
    acks.hand_out(120, 130, b"c", at=3.0)
    return acks


def test_in_order() -> None:
    acks = three()
    assert acks.ack(100, 110)
    assert (acks.committed, acks.frontier, acks.in_flight, acks.oldest_at) == (110, b"a", 20, 2.0)


def test_a_later_success_never_skips_an_earlier_piece() -> None:
    acks = three()
    assert not acks.ack(120, 130)
    assert not acks.ack(110, 120)
    assert (acks.committed, acks.oldest_at) == (100, 1.0)
    assert acks.ack(100, 110)
    assert (acks.committed, acks.frontier, acks.in_flight, acks.oldest_at) == (130, b"c", 0, None)


def test_twice_or_unknown_changes_nothing() -> None:
    acks = three()
    acks.ack(100, 110)
    assert not acks.ack(100, 110)
    assert not acks.ack(110, 115)
    assert not acks.ack(500, 510)
    assert acks.committed == 110


def test_handing_out_with_a_gap_is_a_bug() -> None:
    with pytest.raises(ValueError, match="handed out"):
        three().hand_out(140, 150, b"", at=4.0)


def test_padding_is_skipped_only_before_anything_is_in_flight() -> None:
    acks = Acks(0)
    acks.skip(4096)
    assert (acks.committed, acks.handed, acks.in_flight) == (4096, 4096, 0)
    acks.hand_out(4096, 4100, b"x", at=1.0)
    with pytest.raises(ValueError, match="in flight"):
        acks.skip(5000)


@given(st.permutations(range(8)), st.integers(0, 8))
def test_any_order_commits_the_longest_acknowledged_prefix(order: list[int], how_many: int) -> None:
    acks = Acks(0)
    for number in range(8):
        acks.hand_out(number * 10, number * 10 + 10, bytes([number]), at=float(number))
    acked = order[:how_many]
    for number in acked:
        acks.ack(number * 10, number * 10 + 10)
    prefix = next(number for number in range(9) if number not in acked)
    assert acks.committed == prefix * 10
