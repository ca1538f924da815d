"""Coverage-guided fuzzing of everything that reads PostgreSQL's bytes, with libFuzzer's options; needs atheris.

Each target says what must hold for any bytes; an exception that the module does not promise ends the run.
"""

import asyncio
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
with atheris.instrument_imports(include=["ambassador_dbproxy"]):
    from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
    from ambassador_dbproxy.postgres.channel_binding import tls_server_end_point
    from ambassador_dbproxy.postgres.errors import read_error
    from ambassador_dbproxy.postgres.login import LoginFailed, LoginState, ServerRefused, UpstreamLogin
    from ambassador_dbproxy.postgres.startup import MAX_STARTUP_BYTES, ClientStartup, StartupPacket
    from ambassador_dbproxy.postgres.tracking import SessionTracker, Shapes
    from ambassador_dbproxy.postgres.wire import ProtocolViolation


def startup(data: bytes) -> None:
    """A packet that was read is written back as it came; nothing larger than its bound is waited for."""
    conversation = ClientStartup(tls=len(data) % 2 == 1)
    conversation.feed(data)
    try:
        while (event := conversation.next_event()) is not None:
            if isinstance(event, StartupPacket):
                assert event.encode() in data
                event.routed("user", "database").encode()
    except ProtocolViolation:
        return
    assert len(conversation.take_rest()) < max(len(data), MAX_STARTUP_BYTES) + 1


def login(data: bytes) -> None:
    """No bytes of a server make it logged in without a verified signature, unless it asks for no password."""
    it = UpstreamLogin(user="u", password="p", require_auth=frozenset({"scram-sha-256"}), nonce="n", end_point=b"e")
    conversation = Conversation()
    conversation.connection_made(_Deaf())
    conversation.data_received(data)
    conversation.eof_received()  # so that nothing is waited for, and no loop is needed
    try:
        _log_in(conversation, it).send(None)
    except (ProtocolViolation, LoginFailed, ServerRefused):
        return
    except ConnectionEnded:
        state = it.state
        assert it.feed(b"") == b"", "words left unheard"
        assert it.state is state, "words left unheard"
    except StopIteration:
        pass
    assert it.state not in (LoginState.AUTHENTICATED, LoginState.READY), "let in without a proof"


async def _log_in(conversation: Conversation, it: UpstreamLogin) -> None:
    """As `upstream` does, with a salt that is not known yet."""
    await conversation.converse(it)
    if it.challenge is not None:
        conversation.send(it.derived(b"s" * 32))
        await conversation.converse(it)


class _Deaf(asyncio.Transport):
    """Whatever is written is lost."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def pause_reading(self) -> None:
        pass


def tracking(data: bytes) -> None:
    """However it is cut, and whatever shapes are known, a stream means the same."""
    provider = atheris.FuzzedDataProvider(data)
    shapes = Shapes()
    whole, sliced = SessionTracker(_nothing, Shapes()), SessionTracker(_nothing, shapes)
    while provider.remaining_bytes():
        from_app = provider.ConsumeBool()
        chunk = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 200))
        cut = provider.ConsumeIntInRange(0, 200)
        for tracker, pieces in ((whole, (chunk,)), (sliced, (chunk[:cut], chunk[cut:]))):
            for piece in pieces:
                (tracker.client_bytes if from_app else tracker.server_bytes)(piece)
        assert (whole.quiet, whole.transactions, whole.lost) == (sliced.quiet, sliced.transactions, sliced.lost)


def small_readers(data: bytes) -> None:
    """They promise never to raise."""
    tls_server_end_point(data)
    read_error(data)


def _nothing(_: str) -> None:
    pass


TARGETS = (startup, login, tracking, small_readers)


def one_input(data: bytes) -> None:
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
