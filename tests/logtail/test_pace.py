"""How often to look, as plain numbers."""

from logtail.pace import busy_poll, poll, rest


def test_without_hints_it_is_looked_again_by_the_interval() -> None:
    assert poll(0.001, 0.25, hinted=False, calm=True) == 0.25


def test_behind_hints_it_is_looked_once_a_second_while_time_alone_may_bring_something() -> None:
    assert poll(0.5, 0.25, hinted=True, calm=False) == 1.0


def test_in_a_calm_a_look_takes_a_five_hundredth_of_the_time_at_most() -> None:
    assert poll(0.0001, 0.25, hinted=True, calm=True) == 1.0
    assert poll(0.006, 0.25, hinted=True, calm=True) == 3.0  # a thousand files
    assert poll(5.0, 0.25, hinted=True, calm=True) == 30.0


def test_after_a_look_there_is_a_rest_by_what_the_look_took() -> None:
    assert rest(0.0001, 0.25) == 0.01
    assert rest(0.01, 0.25) == 0.2
    assert rest(10.0, 0.25) == 5.0
    assert (busy_poll(0.001, 0.25), busy_poll(0.1, 0.25)) == (0.25, 2.0)
