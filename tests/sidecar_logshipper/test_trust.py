"""Whether a refusal is believed, and what of a sink's words may be logged."""

import pytest

from sidecar_logshipper.discretion import MOST_WORDS, veiled
from sidecar_logshipper.trust import CREDIT, Trust


def test_no_trust_before_the_first_acceptance() -> None:
    assert not Trust().is_given


def test_refusals_in_a_row_use_it_up_and_an_acceptance_renews_it() -> None:
    trust = Trust()
    for _ in range(2):
        trust.accepted()
        for _ in range(CREDIT):
            assert trust.is_given
            trust.refused()
        assert not trust.is_given
    trust.refused()
    trust.accepted()
    assert trust.is_given


def test_another_sink_has_to_earn_it() -> None:
    trust = Trust()
    trust.accepted()
    trust.lose()
    assert not trust.is_given


@pytest.mark.parametrize(
    ("said", "line", "shown"),
    [
        ("no such path", b"anything", "no such path"),
        ("Preview of field's value: 'secret-7'", b'{"n":"secret-7"}', "Preview of field's value: '…'"),
        ("failed to parse [card]: 4111-1111", b"card 4111-1111", "failed to parse […]: …"),
        ("x" * 900, b"", "x" * MOST_WORDS),
        ("", b"\xff", ""),
    ],
)
def test_what_a_sink_quotes_from_a_line_is_not_shown(said: str, line: bytes, shown: str) -> None:
    assert veiled(said, line) == shown
