"""The app's login as transcripts: whatever its client is, it is led to the verdict in the form it expects."""

import pytest

from ambassador_dbproxy.mysql.admission import Admission, AdmissionState
from ambassador_dbproxy.mysql.greeting import LoginRequest
from ambassador_dbproxy.mysql.passwords import NATIVE, SHA2
from ambassador_dbproxy.mysql.wire import Packet, ProtocolViolation, encode

SCRAMBLE = bytes(range(1, 21))
OK = b"\0\0\0\2\0\0\0"
SWITCH = b"\xfemysql_native_password\0" + SCRAMBLE + b"\0"


def request(plugin: bytes | None, auth: bytes) -> LoginRequest:
    return LoginRequest(0, b"", b"whoever", auth, None, plugin, None)


@pytest.mark.parametrize(
    ("offered", "plugin", "auth", "first"),
    [
        (NATIVE, NATIVE, b"x" * 20, b""),
        (NATIVE, NATIVE, b"", b""),
        (NATIVE, None, b"x" * 20, b""),  # a client that knows no plugins
        (SHA2, None, b"x" * 20, b""),
        (SHA2, SHA2, b"x" * 32, encode(2, b"\1\3")),  # it wants to hear that it was in the cache
        (SHA2, SHA2, b"\0", b""),
        (SHA2, SHA2, b"", b""),
    ],
)
def test_a_client_that_used_what_was_offered_waits_for_the_verdict(
    offered: bytes, plugin: bytes | None, auth: bytes, first: bytes
) -> None:
    it = Admission(offered, SCRAMBLE)
    assert it.ask(request(plugin, auth), 1) == b""
    assert it.state is AdmissionState.CONTENT
    assert it.welcome(OK) == first + encode(3 if first else 2, OK)


@pytest.mark.parametrize(
    ("offered", "plugin"),
    [(NATIVE, SHA2), (SHA2, NATIVE), (NATIVE, b"client_ed25519"), (NATIVE, b"mysql_clear_password"), (None, SHA2)],
)
@pytest.mark.parametrize("answer", [b"", b"x" * 20, b"anything"])
def test_any_other_client_is_sent_to_the_oldest_plugin(offered: bytes | None, plugin: bytes, answer: bytes) -> None:
    it = Admission(offered, SCRAMBLE)
    assert it.ask(request(plugin, b""), 1) == encode(2, SWITCH)
    assert it.state is AdmissionState.SWITCHED
    it.answer(Packet(3, answer))
    assert it.welcome(OK) == encode(4, OK)


def test_a_change_of_user_begins_its_own_sequence() -> None:
    it = Admission(None, SCRAMBLE)
    assert it.ask(request(NATIVE, b"x" * 20), 0) == b""
    assert it.welcome(OK) == encode(1, OK)


def test_an_error_goes_on_with_the_sequence_too() -> None:
    it = Admission(SHA2, SCRAMBLE)
    it.ask(request(SHA2, b"x" * 32), 2)
    assert it.sequence == 3


@pytest.mark.parametrize("sequence", [0, 2, 4])
def test_packets_out_of_order(sequence: int) -> None:
    it = Admission(NATIVE, SCRAMBLE)
    it.ask(request(SHA2, b""), 1)
    with pytest.raises(ProtocolViolation, match="out of order"):
        it.answer(Packet(sequence, b""))
