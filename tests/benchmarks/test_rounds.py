"""Rounds: all in turn, medians; what did not arrive ends a mate's benchmark, and only drops a peer from it."""

import pytest

from benchmarks import machine
from benchmarks.processes import Failed
from benchmarks.rounds import Contestant, Measured, Rounds, Undelivered

CORE = machine.cores()[0]


def contestant(name: str, told: list[str], *, ours: bool = True, arrives: int = 10) -> Contestant:
    def run() -> Measured:
        told.append(name)
        if arrives < 0:
            raise Failed(f"{name} ended with 1")
        return Measured(arrives, {"tps": 100.0 + len(told)})

    return Contestant("work", name, run, 10, ours)


def test_contestants_run_in_turn_and_become_rows_of_medians() -> None:
    told: list[str] = []
    rounds = Rounds(1, CORE, lambda words: None, quick=True)
    rows = [*rounds.play([contestant("a", told), contestant("b", told)])]
    assert told == ["a", "b"]
    assert [(row.name, row.arrived, row.expected, row.median("tps")) for row in rows] == [
        ("a", 10, 10, 101.0),
        ("b", 10, 10, 102.0),
    ]


def test_a_mate_that_loses_something_ends_it_all() -> None:
    with pytest.raises(Undelivered, match=r"a \(work\): 9 of 10 arrived"):
        Rounds(1, CORE, lambda words: None, quick=True).play([contestant("a", [], arrives=9)])


@pytest.mark.parametrize(("arrives", "why"), [(9, "9 of 10 arrived"), (-1, "ended with 1")])
def test_a_peer_that_fails_is_named_and_left_out(arrives: int, why: str) -> None:
    rounds = Rounds(1, CORE, lambda words: None, quick=True)
    rows = rounds.play([contestant("peer", [], ours=False, arrives=arrives), contestant("mate", [])])
    assert [row.name for row in rows] == ["mate"]
    assert [peer.name for peer in rounds.dropped] == ["peer, work"]
    assert why in rounds.dropped[0].why_not


def test_warm_ups_come_first_and_a_noisy_run_is_repeated_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    probes = iter([1.0] * 5 + [1.5] * 99)  # quiet at first, then never again
    monkeypatch.setattr(machine, "probe_on", lambda core: next(probes))
    mate = contestant("a", told)
    mate.warm_up = lambda: told.append("warm-up")
    (row,) = Rounds(2, CORE, lambda words: None).play([mate])
    assert told == ["warm-up", "a", "a", "a"]  # two rounds, and half as many repeats
    assert (row.rounds, row.noisy) == (2, 2)
