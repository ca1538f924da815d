"""MySQL on a listener: from an app's connection to its session, or to a refusal.

The words of the login are in `entrance`, server connections come from `upstream`; `session` goes on.
"""

from __future__ import annotations

import asyncio

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.mysql.entrance import AppReader, enter, pass_through, refused
from ambassador_dbproxy.mysql.errors import CODES, refusal
from ambassador_dbproxy.mysql.login import LoginFailed, ServerRefused
from ambassador_dbproxy.mysql.server_connection import Greeted, LoggedIn
from ambassador_dbproxy.mysql.session import MysqlSession
from ambassador_dbproxy.mysql.upstream import NOT_LETTING_IN, MysqlUpstream
from ambassador_dbproxy.mysql.wire import encode
from ambassador_dbproxy.refusal import INTERNAL_ERROR, Reason, Refused
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.service import Floor
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import TlsFailed
from chassis.secret import SecretUnreadable

BEHIND_THE_RESPONSE = 2
"""Sequence id of what comes behind the greeting and the app's response to it."""


class MysqlService:
    """See `service.Service`."""

    def upstream(self, route: Route, around: Surroundings) -> MysqlUpstream:
        return MysqlUpstream(route, around)

    def farewell(self, reason: Reason, text: str) -> bytes:
        """As the first packet of all; later ones go on with a sequence, and are made where that is known."""
        return refusal(CODES[reason], text, 0, greeted=False)

    async def serve(self, app: Conversation, floor: Floor[MysqlUpstream]) -> None:
        """The server is dialled at once, since the app waits for its greeting before it says anything."""
        began = asyncio.get_running_loop().time()
        try:
            upstream, greeted = await floor.admit(MysqlUpstream.open)
        except ServerRefused as error:
            floor.tally.error(error.error.sqlstate)
            text = f"{floor.upstream.route.name}: the server refused the connection: {error.error.message}"
            raise Refused(Reason.LOGIN, text, encode(0, error.body)) from error
        except TlsFailed as error:
            raise Refused(Reason.TLS, str(error)) from error
        except (LoginFailed, SecretUnreadable) as error:
            text = f"the database ambassador could not log in to {floor.upstream.route.name}: {error}"
            raise Refused(Reason.LOGIN, text) from error
        with floor.joining():
            logged_in = await _log_in(app, upstream, greeted, floor)
            if logged_in is not None:
                MysqlSession(app, logged_in, upstream, floor)
                floor.tally.logged_in(asyncio.get_running_loop().time() - began)


async def _log_in(
    app: Conversation, upstream: MysqlUpstream, greeted: Greeted, floor: Floor[MysqlUpstream]
) -> LoggedIn | None:
    """The way in that the target wants; None if the app left without a word, as port scans and probes do."""
    way_in = enter if upstream.route.target.user is not None else pass_through
    reader = AppReader(app, floor.login_timeout_s, BEHIND_THE_RESPONSE)
    try:
        return await way_in(app, reader, upstream, greeted, floor)
    except ConnectionEnded:
        floor.spawn(_dismiss(upstream, greeted), f"dismiss {upstream.route.name}")
        app.close()
        return None
    except asyncio.CancelledError:
        if app.eof or app.lost:
            floor.spawn(_dismiss(upstream, greeted), f"dismiss {upstream.route.name}")
            raise
        greeted.abandon()
        # The listener closes, and would speak as if nothing had been said yet.
        raise refused(Reason.CLOSING, "the database ambassador is shutting down", reader.sequence) from None
    except Refused:
        greeted.abandon()
        raise
    except Exception as error:
        greeted.abandon()
        raise refused(Reason.BUG, INTERNAL_ERROR, reader.sequence) from error


async def _dismiss(upstream: MysqlUpstream, greeted: Greeted) -> None:
    try:
        await upstream.dismiss(greeted)
    except (*NOT_LETTING_IN, Unreachable):
        pass  # nobody is left to be told
