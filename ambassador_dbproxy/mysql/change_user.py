"""COM_CHANGE_USER in mid-session: the relay is interrupted, the ambassador logs in anew as the target's user, and the
app is told that its own change has succeeded (protocol documentation, "COM_CHANGE_USER").

When it may begin, and what becomes of the session afterwards, is decided in `session`.
"""

from __future__ import annotations

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.mysql.admission import Admission
from ambassador_dbproxy.mysql.entrance import AppReader, admit, ask_server, refused
from ambassador_dbproxy.mysql.greeting import LoginRequest
from ambassador_dbproxy.mysql.server_connection import LoggedIn
from ambassador_dbproxy.mysql.upstream import MysqlUpstream
from ambassador_dbproxy.mysql.wire import ProtocolViolation
from ambassador_dbproxy.refusal import Reason
from ambassador_dbproxy.relay import Leg
from ambassador_dbproxy.service import Floor


def interrupted(leg: Leg) -> Conversation:
    """A conversation on the connection of `leg`, until `relay.join` lets the leg go on."""
    conversation = Conversation()
    conversation.transport = leg.transport
    conversation.eof, conversation.lost = leg.eof, leg.ended
    leg.transport.set_protocol(conversation)
    return conversation


async def change_user(
    app: Conversation, reader: AppReader, logged_in: LoggedIn, upstream: MysqlUpstream, floor: Floor[MysqlUpstream]
) -> bytes:
    """Carry out the change that the app asks for in what `reader` reads; returns the body of the server's OK.

    Raises Refused, after which the session cannot go on, and ConnectionEnded when the app leaves.
    """
    packet = await reader.next_packet()
    try:
        asked = LoginRequest.read_change(packet.body, logged_in.app.capabilities)
    except ProtocolViolation as error:
        raise refused(Reason.PROTOCOL, str(error), packet.sequence + 1) from error
    admission = Admission(None, upstream.scramble())
    request = await admit(app, reader, admission, packet, asked)
    ok = await ask_server(upstream, admission, floor, upstream.change_user(logged_in, request))
    app.send(admission.welcome(ok))
    reader.give_back_rest()
    return ok
