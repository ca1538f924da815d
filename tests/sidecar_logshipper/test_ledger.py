"""read = acked + dead_lettered + dropped + pending, whatever happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar_logshipper.ledger import DROP_REASONS, Amount, Ledger, count


def test_a_short_story() -> None:
    ledger = Ledger()
    ledger.take_in(10, 1000)
    ledger.ack(6, 600)
    ledger.dead_letter(1, 100)
    ledger.drop("dead_letter_full", 1, 50)
    assert ledger.read == Amount(10, 1000)
    assert ledger.acked == Amount(6, 600)
    assert ledger.pending == Amount(2, 250)
    assert ledger.dropped["dead_letter_full"] == Amount(1, 50)


def test_accounting_for_more_than_was_read_is_a_bug() -> None:
    ledger = Ledger()
    ledger.take_in(1, 10)
    with pytest.raises(ValueError, match="pending"):
        ledger.ack(2, 10)
    with pytest.raises(ValueError, match="pending"):
        ledger.ack(1, 11)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 50))))
def test_the_equation_holds_at_every_moment(moves: list[tuple[int, int, int]]) -> None:
    ledger = Ledger()
    for kind, lines, size in moves:
        lines, size = min(lines, ledger.pending.lines), min(size, ledger.pending.bytes)
        if kind == 0:
            ledger.take_in(lines + 3, size + 30)
        elif kind == 1:
            ledger.ack(lines, size)
        elif kind == 2:
            ledger.dead_letter(lines, size)
        else:
            ledger.drop(DROP_REASONS[lines % 2], lines, size)
        parts = [ledger.acked, ledger.dead_lettered, ledger.pending, *ledger.dropped.values()]
        assert ledger.read == Amount(sum(part.lines for part in parts), sum(part.bytes for part in parts))


@given(st.binary())
def test_count(piece: bytes) -> None:
    assert count(piece) == piece.count(b"\n") + (not piece.endswith((b"\n",)) and piece != b"")


def test_count_by_hand() -> None:
    assert [count(piece) for piece in (b"", b"\n", b"a", b"a\n", b"a\nb", b"\n\n")] == [0, 1, 1, 1, 2, 2]
