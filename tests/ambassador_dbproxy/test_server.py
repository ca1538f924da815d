"""Which server is tried first, and which roles are taken in which round."""

from ambassador_dbproxy.server import Health, Role, Server, fits, ranked, rounds
from chassis.settings import Address


def server(name: str, role: Role = Role.UNKNOWN, health: Health = Health.UP, in_use: int = 0) -> Server:
    return Server(Address(f"{name}:5432"), health, role, "", in_use)


def names(servers: list[Server]) -> list[str]:
    return [each.host.host for each in servers]


def test_unknown_ones_in_the_order_of_the_settings_and_those_down_last() -> None:
    (all_roles,) = rounds("any")
    assert names(ranked([server("a", health=Health.DOWN), server("b"), server("c")], all_roles)) == ["b", "c", "a"]


def test_a_known_primary_comes_first_and_a_known_replica_is_still_tried() -> None:
    (primary,) = rounds("primary")
    three = [server("a", Role.REPLICA), server("b"), server("c", Role.PRIMARY)]
    assert names(ranked(three, primary)) == ["b", "c", "a"]


def test_the_replica_least_in_use_comes_first() -> None:
    (replica,) = rounds("replica")
    three = [server("a", Role.REPLICA, in_use=2), server("b", Role.REPLICA, in_use=1), server("c", Role.PRIMARY)]
    assert names(ranked(three, replica)) == ["b", "a", "c"]


def test_prefer_replica_takes_the_primary_in_the_second_round() -> None:
    first, second = rounds("prefer-replica")
    assert Role.PRIMARY not in first
    assert second == frozenset(Role)


def test_a_role_that_was_not_asked_fits_only_where_any_will_do() -> None:
    assert fits("any", Role.UNKNOWN)
    assert fits("prefer-replica", Role.PRIMARY)
    assert not fits("primary", Role.UNKNOWN)
    assert not fits("replica", Role.PRIMARY)
