"""When a session leaves its server: at a quiet moment, and when it replaces another one only once it has been used."""

import gc
import weakref
from collections.abc import Coroutine
from types import SimpleNamespace

import pytest

from ambassador_dbproxy import followed_session
from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.followed_session import USED, AppLeg, FollowedSession, ServerLeg
from ambassador_dbproxy.relay import join


class Transport:
    """Notes what is written, and whether it is closed."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.closing = True

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing


class Tracker:
    def __init__(self) -> None:
        self.transactions = 0
        self.quiet = self.answered = True
        self.said_goodbye = False

    def server_bytes(self, chunk: bytes) -> None:
        self.transactions += chunk.count(b"Z")


class Session(FollowedSession):
    GOODBYE = b"goodbye"

    def __init__(self) -> None:
        self.spawned: list[str] = []
        route = SimpleNamespace(name="dev")
        super().__init__(SimpleNamespace(route=route), SimpleNamespace(spawn=self._note))
        self.tracker = self.followed = Tracker()
        self.to_app, self.to_server = Transport(), Transport()
        self._app = AppLeg(SimpleNamespace(transport=self.to_app, lost=False))  # type: ignore[arg-type]
        self._server = ServerLeg(SimpleNamespace(transport=self.to_server, lost=False))  # type: ignore[arg-type]
        self._app.peer, self._server.peer = self._server, self._app
        self._app.forward, self._server.forward = self.to_server.write, self.to_app.write
        self._server.look = self.tracker.server_bytes
        self.stopped = 0

    def _note(self, task: Coroutine[None, None, None], name: str) -> None:
        task.close()
        self.spawned.append(name)

    def server_says(self, chunk: bytes) -> None:
        self._server.data_received(chunk)

    def _last_words(self, text: str) -> bytes:
        return text.encode()

    def _stop_running(self) -> None:
        self.stopped += 1


@pytest.fixture
async def session() -> Session:
    return Session()


async def test_a_quiet_one_leaves_at_once(session: Session) -> None:
    session.leave("switched")
    assert session.to_server.written == b"goodbye"
    assert session.to_server.closing
    assert session.to_app.written == b""


async def test_a_busy_one_leaves_behind_its_answer(session: Session) -> None:
    session.followed.quiet = False
    session.leave("switched")
    session.server_says(b"half")
    assert session.to_server.written == b""
    session.followed.quiet = True
    session.server_says(b"Z")
    assert session.to_server.written == b"goodbye"
    assert session.to_app.written == b"halfZ"


async def test_a_replacement_leaves_once_it_has_been_used(session: Session) -> None:
    session.leave("switched", 60.0)
    for _ in range(USED - 1):
        session.server_says(b"Z")
    assert session.to_server.written == b""
    session.server_says(b"Z")
    assert session.to_server.written == b"goodbye"


async def test_a_replacement_that_nobody_uses_leaves_when_it_has_settled(session: Session) -> None:
    session.leave("switched", 60.0)
    assert session.to_server.written == b""
    session._settled()
    assert session.to_server.written == b"goodbye"


async def test_what_the_server_is_doing_is_stopped_at_the_deadline(session: Session) -> None:
    session.followed.quiet = session.followed.answered = False
    session.leave("switched")
    session.end("cut")
    assert (session.stopped, session.to_server.closing, session.to_app.written) == (1, True, b"cut")
    session.end("cut")
    assert (session.stopped, session.to_app.written) == (1, b"cut")


@pytest.mark.parametrize(("said_goodbye", "looked_after"), [(False, 1), (True, 0)])
async def test_what_an_app_asked_before_its_goodbye_runs_to_its_end(
    session: Session, said_goodbye: bool, looked_after: int
) -> None:
    session.followed.quiet = session.followed.answered = False
    session.followed.said_goodbye = said_goodbye
    session._app_ended()
    session._lost(session._app)
    assert (len(session.spawned), session.stopped) == (looked_after, looked_after)


@pytest.mark.parametrize(("seen", "aborted"), [([True], True), ([False, True], True), ([None, True], False)])
async def test_an_app_is_looked_after_while_that_can_be_told(
    session: Session, monkeypatch: pytest.MonkeyPatch, seen: list[bool | None], aborted: bool
) -> None:
    async def has_gone(_: object) -> bool | None:
        return seen.pop(0)

    monkeypatch.setattr(followed_session, "has_gone", has_gone)
    monkeypatch.setattr(followed_session, "PRESENCE_S", 0.0)
    session.followed.answered = False
    await session._see_whether_gone()
    assert session.to_app.closing is aborted


@pytest.mark.parametrize("ended_before", [False, True])
async def test_one_whose_connections_were_both_lost_when_it_began_leaves_once(ended_before: bool) -> None:
    def lost() -> Conversation:
        conversation = Conversation()
        conversation.connection_made(Transport())  # type: ignore[arg-type]
        if ended_before:
            conversation.eof_received()
        conversation.connection_lost(None)
        return conversation

    left: list[FollowedSession] = []
    session, app, server = Session(), lost(), lost()
    session._floor = SimpleNamespace(left=left.append)
    session._app, session._server = AppLeg(app), ServerLeg(server)
    session._app.on_eof = session._app_ended
    join((app, session._app), (server, session._server), session._lost)
    assert left == [session]


async def test_one_that_is_over_leaves_nothing_to_the_collector() -> None:
    session = Session()
    session._floor = SimpleNamespace(left=lambda _: None)
    session._app.on_eof, session._app.on_lost = session._app_ended, session._lost
    session._server.on_lost = session._lost
    kept = weakref.ref(session.followed)
    gc.disable()
    try:
        session._app.connection_lost(None)
        session._server.connection_lost(None)
        del session
        assert kept() is None
    finally:
        gc.enable()
