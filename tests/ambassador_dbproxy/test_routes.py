"""Which target a listener leads to."""

import pytest

from ambassador_dbproxy.routes import UnknownEnvironment, route
from ambassador_dbproxy.settings import ListenerSettings, TargetSettings
from chassis.settings import Address

A, B, C = (Address(f"pg-{n}:5432") for n in range(3))
LISTENER = ListenerSettings(
    name="orders",
    listen=Address("127.0.0.1:5432"),
    protocol="postgres",
    environments={"dev": TargetSettings(hosts=(A,)), "prod": TargetSettings(hosts=(A, B, C))},
)


def test_the_environment_decides() -> None:
    assert route(LISTENER, "prod").target.hosts == (A, B, C)
    assert route(LISTENER, "prod").name == "orders/prod"


def test_an_unknown_environment_names_the_known_ones() -> None:
    with pytest.raises(UnknownEnvironment, match="unknown environment 'test': listener orders knows dev, prod"):
        route(LISTENER, "test")
