"""What a login at a MySQL server leaves open when it does not succeed."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.mysql.greeting import LoginRequest
from ambassador_dbproxy.mysql.server_connection import Greeted, LoggedIn
from ambassador_dbproxy.mysql.upstream import OWN_REQUEST, MysqlUpstream
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.settings import TargetSettings
from ambassador_dbproxy.surroundings import Surroundings
from chassis.settings import Address

Make = Callable[..., Any]


class Connection:
    """A greeted connection; notes whether it was given up."""

    def __init__(self) -> None:
        self.server = SimpleNamespace(server=SimpleNamespace(host=Address("db:3306")))
        self.abandoned = False

    def abandon(self) -> None:
        self.abandoned = True


class Upstream(MysqlUpstream):
    """Its first login was refused for an old password, so that `logged_in` is on another connection than the app's;
    asking that for its role fails."""

    def __init__(self, route: Route, around: Surroundings, repeated: Connection) -> None:
        super().__init__(route, around)
        self._repeated = repeated

    async def _log_in(self, greeted: Greeted, app: LoginRequest) -> LoggedIn:
        return cast(LoggedIn, SimpleNamespace(greeted=self._repeated))

    async def ask(self, logged_in: LoggedIn, sql: str) -> bytes | None:
        raise Unreachable("closed the connection during the login")


async def test_a_repeated_login_whose_role_cannot_be_asked_is_given_up(
    surroundings: Make,
) -> None:
    repeated = Connection()
    target = TargetSettings(hosts=(Address("db:3306"),), user="u", role="primary")
    upstream = Upstream(Route("it", "dev", target), surroundings(), repeated)
    with pytest.raises(Unreachable):
        await upstream.log_in(cast(Any, Connection()), OWN_REQUEST)
    assert repeated.abandoned
