"""PostgreSQL on a listener: from an app's first bytes to its session, a passed-on cancel request, or a refusal.

The words of the start-up are in `startup` and `login`, server connections come from `upstream`; `session` goes on.
"""

from __future__ import annotations

import time

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation, Within
from ambassador_dbproxy.postgres import errors
from ambassador_dbproxy.postgres.login import (
    LoginFailed,
    ServerRefused,
    needs_answer,
    read_backend_key,
    without_channel_binding,
)
from ambassador_dbproxy.postgres.session import BackendKey, PostgresSession
from ambassador_dbproxy.postgres.startup import Answer, CancelRequest, ClientStartup, Encrypt, StartupPacket
from ambassador_dbproxy.postgres.tracking import Shapes
from ambassador_dbproxy.postgres.upstream import LoggedIn, PostgresUpstream, ServerConnection, Waiting
from ambassador_dbproxy.postgres.wire import MessageReader, ProtocolViolation
from ambassador_dbproxy.refusal import Reason, Refused
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.service import Floor
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import AppEncryption, AppHandshakeFailed, TlsFailed
from chassis.secret import SecretUnreadable

_SQLSTATES = {
    Reason.CONNECTIONS: errors.TOO_MANY_CONNECTIONS,
    Reason.WAITING: errors.TOO_MANY_CONNECTIONS,
    Reason.HOLD: errors.CANNOT_CONNECT_NOW,
    Reason.LOGIN: errors.INVALID_AUTHORIZATION,
    Reason.TLS: errors.CONNECTION_FAILURE,
    Reason.PROTOCOL: errors.PROTOCOL_VIOLATION,
    Reason.CLOSING: errors.ADMIN_SHUTDOWN,
    Reason.BUG: errors.INTERNAL_ERROR,
}


class PostgresService:
    """See `service.Service`. Knows the cancel keys of its listener's sessions."""

    def __init__(self) -> None:
        self._cancel_keys: dict[BackendKey, PostgresSession] = {}
        self._shapes = Shapes()

    def upstream(self, route: Route, around: Surroundings) -> PostgresUpstream:
        return PostgresUpstream(route, around)

    def farewell(self, reason: Reason, text: str) -> bytes:
        return errors.fatal(_SQLSTATES[reason], text)

    async def serve(self, app: Conversation, floor: Floor[PostgresUpstream]) -> None:
        began = time.monotonic()
        try:
            with Within(floor.login_timeout_s):
                request = await _read_request(app, floor.app_encryption)
        except (TimeoutError, ConnectionEnded):
            app.close()  # a port scan, a probe, or an app that changed its mind: the server too says nothing
            return
        except (ProtocolViolation, AppHandshakeFailed) as error:
            raise Refused(Reason.PROTOCOL, str(error)) from error
        except TlsFailed as error:
            raise Refused(Reason.TLS, str(error)) from error
        if isinstance(request, CancelRequest):
            await self._cancel(request, floor)
            app.close()
            return
        await self._enter(app, request, floor)
        floor.tally.logged_in(time.monotonic() - began)

    async def _enter(self, app: Conversation, packet: StartupPacket, floor: Floor[PostgresUpstream]) -> None:
        try:
            upstream, opened = await floor.admit(lambda upstream: upstream.open(packet))
        except ServerRefused as error:
            floor.tally.error(error.error.sqlstate)
            raise _login_refused(error, floor.upstream.route) from error
        except TlsFailed as error:
            raise Refused(Reason.TLS, f"{floor.upstream.route.name}: {error}") from error
        except (LoginFailed, SecretUnreadable) as error:
            text = f"the database ambassador could not log in to {floor.upstream.route.name}: {error}"
            raise Refused(Reason.LOGIN, text) from error
        if isinstance(opened, Waiting):
            try:
                with floor.joining():
                    opened = await _app_logs_in(app, opened, floor)
            except BaseException:
                opened.abandon()
                raise
        else:
            app.send(opened.greeting)
        PostgresSession(app, opened, upstream, floor, self._cancel_keys, self._shapes)

    async def _cancel(self, request: CancelRequest, floor: Floor[PostgresUpstream]) -> None:
        session = self._cancel_keys.get((request.pid, request.key))
        if session is None:
            floor.log.info("cancel_unknown", pid=request.pid)
            return
        await session.cancel()


async def _read_request(app: Conversation, encryption: AppEncryption | None) -> StartupPacket | CancelRequest:
    startup = ClientStartup(tls=encryption is not None)
    while True:
        startup.feed(await app.receive())
        while (event := startup.next_event()) is not None:
            if isinstance(event, Answer):
                app.send(event.data)
                continue
            app.give_back(startup.take_rest())
            if not isinstance(event, Encrypt):
                return event
            assert encryption is not None
            await encryption.protect(app, event.answer, direct=event.direct)


async def _app_logs_in(app: Conversation, waiting: Waiting, floor: Floor[PostgresUpstream]) -> LoggedIn:
    """The app's own login, message by message in turn, until the server's first ReadyForQuery."""
    server, message = waiting.server, waiting.first
    backend_key: BackendKey | None = None
    from_app = MessageReader()
    try:
        with Within(floor.login_timeout_s):
            while True:
                app.send(without_channel_binding(message).encode())
                if message.kind == b"E":
                    error = errors.read_error(message.body)
                    floor.tally.error(error.sqlstate)
                    raise Refused(Reason.LOGIN, f"the server refused the app's login: {error.message}", b"")
                if message.kind == b"K":
                    backend_key = read_backend_key(message.body)
                elif message.kind == b"Z":
                    break
                if needs_answer(message):
                    await _pass_answer(app, from_app, server)
                message = await server.next_message()
    except ConnectionEnded as ended:
        raise Refused(Reason.LOGIN, "the connection ended during the app's login", b"") from ended
    except (TimeoutError, ProtocolViolation) as error:
        raise Refused(Reason.PROTOCOL, str(error) or "the login took too long") from error
    app.give_back(from_app.take_rest())
    return LoggedIn(server, b"", backend_key)


async def _pass_answer(app: Conversation, from_app: MessageReader, server: ServerConnection) -> None:
    while (answer := from_app.next_message()) is None:
        from_app.feed(await app.receive())
    server.conversation.send(answer.encode())


def _login_refused(refusal: ServerRefused, route: Route) -> Refused:
    """The server's own verdict, with a hint that says whose password it was about."""
    hint = f"This login was made by the database ambassador, as the user configured for {route.name}."
    text = f"{route.name}: the server refused the login: {refusal.error.message}"
    return Refused(Reason.LOGIN, text, errors.with_hint(refusal.body, hint))
