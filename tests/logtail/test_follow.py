"""The life of a followed file, as a transcript of facts."""

import pytest

from logtail.follow import TABLE, Fact, IllegalMove, State, move, over


def live(*facts: Fact) -> State:
    state = State.FOLLOWING
    for fact in facts:
        state = move(state, fact)
    return state


def test_lives() -> None:
    assert live(Fact.NAMED, Fact.NAMED) is State.FOLLOWING
    assert live(Fact.RENAMED) is State.ROTATED
    assert live(Fact.RENAMED, Fact.NAMED) is State.FOLLOWING
    assert live(Fact.RENAMED, Fact.REMOVED) is State.UNLINKED
    assert live(Fact.REMOVED, Fact.ENDED, Fact.ACKED) is State.FINISHED
    assert live(Fact.ENDED, Fact.NAMED) is State.FINISHING
    assert live(Fact.RENAMED, Fact.ENDED, Fact.CHANGED) is State.ROTATED
    assert live(Fact.ENDED, Fact.CHANGED, Fact.REMOVED) is State.UNLINKED


def test_a_finished_life_does_not_move() -> None:
    for fact in Fact:
        with pytest.raises(IllegalMove):
            move(State.FINISHED, fact)


def test_only_a_finishing_life_can_be_acknowledged_to_its_end() -> None:
    for state in (State.FOLLOWING, State.ROTATED, State.UNLINKED):
        with pytest.raises(IllegalMove):
            move(state, Fact.ACKED)


def test_every_state_has_its_row() -> None:
    assert set(TABLE) == set(State)


@pytest.mark.parametrize("state", [State.ROTATED, State.UNLINKED])
def test_let_go_only_when_read_and_acked_and_quiet(state: State) -> None:
    assert over(state, unread=0, in_flight=0, quiet_s=3600)
    assert not over(state, unread=1, in_flight=0, quiet_s=3600)
    assert not over(state, unread=0, in_flight=1, quiet_s=3600)
    assert not over(state, unread=0, in_flight=0, quiet_s=1)


def test_a_file_with_a_matching_name_is_never_let_go() -> None:
    assert not over(State.FOLLOWING, unread=0, in_flight=0, quiet_s=1e9)
