"""A listener and the sessions that must leave it: at once, or once they have been used if they replace earlier ones."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import CapturingLogger

from ambassador_dbproxy import listener as listener_module
from ambassador_dbproxy.listener import Listener
from ambassador_dbproxy.routes import Route, route
from ambassador_dbproxy.server import Role, Server
from ambassador_dbproxy.settings import ListenerSettings, TargetSettings
from ambassador_dbproxy.tcp import TcpService
from chassis.settings import Address

Make = Callable[..., Any]
WAIT_S = 60.0


class FakeSession:
    """Notes how it is asked to leave."""

    def __init__(self, of: Route, server: Server) -> None:
        self.route = of
        self.server = server
        self.asked: list[float] = []
        self.ended = asyncio.Event()

    def leave(self, text: str, settle_s: float = 0.0) -> None:
        self.asked.append(settle_s)

    def end(self, text: str) -> None:
        self.ended.set()

    def counts(self) -> tuple[int, int, int]:
        return 0, 0, 0


@pytest.fixture
def settings(tmp_path: Path) -> ListenerSettings:
    nowhere = TargetSettings(hosts=(Address(f"unix://{tmp_path}/nobody-listens"),))
    environments = dict.fromkeys(("dev", "test", "prod"), nowhere)
    return ListenerSettings(name="it", listen=Address("127.0.0.1:0"), protocol="tcp", environments=environments)


@pytest.fixture
async def listener(settings: ListenerSettings, surroundings: Make) -> Any:
    made = Listener(settings, TcpService(), route(settings, "dev"), surroundings(), CapturingLogger())
    yield made
    await made.close()


def begin(listener: Any) -> FakeSession:
    session = FakeSession(listener.upstream.route, next(iter(listener.upstream.servers)))
    listener.entered(cast(Any, session))
    return session


def switch(listener: Any, to: str, deadline_s: float = 60.0) -> int:
    leaving: int = listener.lead_to(listener.settings, route(listener.settings, to), listener._around, deadline_s)
    return leaving


async def test_a_session_is_asked_to_leave_at_once(listener: Any) -> None:
    session = begin(listener)
    assert switch(listener, "test") == 1
    assert session.asked == [0.0]
    listener.left(session)


async def test_one_that_replaces_it_may_be_used_before_the_next_switch_ends_it(
    listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "SETTLE_S", 60.0)  # longer than any machine takes for this
    first = begin(listener)
    switch(listener, "test")
    listener.left(first)
    second = begin(listener)
    switch(listener, "prod")
    (settle_s,) = second.asked
    assert 0 < settle_s <= 60.0
    listener.left(second)


async def test_one_that_had_begun_before_an_old_one_went_is_no_replacement(listener: Any) -> None:
    first = begin(listener)
    switch(listener, "test")
    second = begin(listener)
    listener._sessions[second] -= 60.0  # as if it had begun a minute ago
    listener.left(first)
    switch(listener, "prod")
    assert second.asked == [0.0]
    listener.left(second)


async def test_a_further_switch_takes_no_deadline_back(listener: Any) -> None:
    session = begin(listener)
    switch(listener, "test", 0.0)
    switch(listener, "prod")
    async with asyncio.timeout(WAIT_S):
        await session.ended.wait()
    listener.left(session)


async def test_one_that_enters_behind_a_switch_has_a_deadline_too(listener: Any) -> None:
    former = listener.upstream
    switch(listener, "test", 0.0)
    session = FakeSession(former.route, next(iter(former.servers)))
    listener.entered(cast(Any, session))
    async with asyncio.timeout(WAIT_S):
        await session.ended.wait()
    assert session.asked
    listener.left(session)


async def test_back_in_its_environment_it_is_not_cut(listener: Any) -> None:
    session = begin(listener)
    switch(listener, "test", 0.0)
    switch(listener, "dev", 0.0)
    await asyncio.wait([task for task in listener._work if task.get_name().startswith("deadline")])
    assert not session.ended.is_set()
    listener.left(session)


def demote(listener: Any) -> None:
    """As a look at the server of the present upstream would find it."""
    (server,) = listener.upstream.servers
    server.role = Role.REPLICA
    listener.upstream.servers.on_unfit(server)


async def test_after_a_reload_sessions_still_follow_and_count_at_their_server(listener: Any) -> None:
    session, former = begin(listener), listener.upstream
    other_limits = replace(listener._around, connect_timeout_s=2.0)
    assert listener.lead_to(listener.settings, former.route, other_limits, 60.0) == 0
    assert listener.upstream is not former
    assert listener.upstream._password is former._password
    assert [server.in_use for server in listener.upstream.servers] == [1]
    demote(listener)
    assert session.asked == [0.0]
    listener.left(session)
    assert [server.in_use for server in listener.upstream.servers] == [0]


async def test_back_in_its_environment_it_is_counted_there(listener: Any) -> None:
    session = begin(listener)
    switch(listener, "test")
    switch(listener, "dev")
    assert [server.in_use for server in listener.upstream.servers] == [1]
    demote(listener)
    assert session.asked == [0.0, 0.0]
    listener.left(session)
