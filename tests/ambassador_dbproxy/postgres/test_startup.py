"""The app's start-up conversation as transcripts."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.postgres.startup import (
    MAX_STARTUP_BYTES,
    Answer,
    CancelRequest,
    ClientStartup,
    Encrypt,
    Event,
    StartupPacket,
)
from ambassador_dbproxy.postgres.wire import ProtocolViolation


def packet(code: int, body: bytes = b"") -> bytes:
    return struct.pack(">II", len(body) + 8, code) + body


SSL, GSS = packet(80877103), packet(80877104)
START = packet(196608, b"user\0app\0database\0shop\0application_name\0x\0\0")
APP = StartupPacket(196608, ((b"user", b"app"), (b"database", b"shop"), (b"application_name", b"x")))
NO = Answer(b"N")


def converse(*packets: bytes, step: int | None = None, tls: bool = False) -> list[Event]:
    """What comes of packets that wait for each answer, each fed whole or in steps."""
    startup, events = ClientStartup(tls=tls), []
    for each in packets:
        size = step or len(each)
        for at in range(0, len(each), size):
            startup.feed(each[at : at + size])
            while event := startup.next_event():
                events.append(event)
    return events


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize(
    ("packets", "events"),
    [
        ([START], [APP]),
        ([SSL, START], [NO, APP]),
        ([GSS, START], [NO, APP]),
        ([SSL, GSS, START], [NO, NO, APP]),
        ([GSS, SSL, START], [NO, NO, APP]),
        ([packet(80877102, b"\0\0\0\7key!")], [CancelRequest(7, b"key!")]),
        ([SSL, packet(80877102, b"\0\0\0\7" + b"k" * 256)], [NO, CancelRequest(7, b"k" * 256)]),
        ([packet(196610, b"\0")], [StartupPacket(196610, ())]),
        ([packet(3 << 16 | 9999, b"_pq_.x\0\0\0")], [StartupPacket(3 << 16 | 9999, ((b"_pq_.x", b""),))]),
    ],
)
def test_conversations(packets: list[bytes], events: list[Event], step: int | None) -> None:
    assert converse(*packets, step=step) == events


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize(
    ("packets", "events"),
    [
        ([START], [APP]),
        ([SSL, START], [Encrypt(b"S", direct=False), APP]),
        ([GSS, SSL, START], [NO, Encrypt(b"S", direct=False), APP]),
    ],
)
def test_conversations_where_tls_is_offered(packets: list[bytes], events: list[Event], step: int | None) -> None:
    assert converse(*packets, step=step, tls=True) == events


def test_direct_tls_leaves_its_first_bytes_to_the_handshake() -> None:
    startup = ClientStartup(tls=True)
    startup.feed(b"\x16\3\1\0\5hello")
    assert startup.next_event() == Encrypt(b"", direct=True)
    assert startup.take_rest() == b"\x16\3\1\0\5hello"
    startup.feed(START)  # decrypted by then
    assert startup.next_event() == APP


@pytest.mark.parametrize(
    "packets", [[SSL, SSL], [SSL, GSS], [SSL + START], [SSL, b"\x16\3\1\0\5hello"], [GSS, b"\x16\3\1\0\5hello"]]
)
def test_tls_begins_once_and_with_nothing_behind_the_request(packets: list[bytes]) -> None:
    with pytest.raises(ProtocolViolation):
        converse(*packets, tls=True)


@pytest.mark.parametrize(
    ("packets", "reason"),
    [
        ([SSL, SSL], "unsupported frontend protocol 1234.5679"),
        ([GSS, GSS], "unsupported frontend protocol 1234.5680"),
        ([SSL + START], "behind a request for encryption"),
        ([GSS + b"x"], "behind a request for encryption"),
        ([b"\x16\3\1\0\5hello"], "direct TLS"),
        ([b"GET / HTTP/1.1"], "invalid length"),
        ([b"\0\0\0\7"], "invalid length"),
        ([struct.pack(">I", MAX_STARTUP_BYTES + 1)], "invalid length"),
        ([packet(131072, b"user\0a\0\0")], "unsupported frontend protocol 2.0"),
        ([packet(196608, b"user\0app\0")], "terminator"),
        ([packet(196608, b"user\0\0")], "terminator"),
        ([packet(196608, b"\0x\0\0")], "empty parameter name"),
        ([packet(196608)], "terminator"),
        ([packet(80877102, b"\0\0\0\7key")], "invalid length of cancel request"),
        ([packet(80877102, b"\0\0\0\7" + b"k" * 257)], "invalid length of cancel request"),
    ],
)
def test_refusals(packets: list[bytes], reason: str) -> None:
    with pytest.raises(ProtocolViolation, match=reason):
        converse(*packets)


def test_bytes_behind_the_startup_packet_belong_to_the_session() -> None:
    startup = ClientStartup()
    startup.feed(START + b"Q...")
    assert startup.next_event() == APP
    assert startup.take_rest() == b"Q..."


@pytest.mark.parametrize(
    ("user", "database", "parameters"),
    [
        (None, None, b"user\0app\0database\0shop\0application_name\0x\0\0"),
        ("own", None, b"user\0own\0database\0shop\0application_name\0x\0\0"),
        ("own", "real", b"user\0own\0database\0real\0application_name\0x\0\0"),
        (None, "real", b"user\0app\0database\0real\0application_name\0x\0\0"),
    ],
)
def test_routing_replaces_and_keeps_the_rest(user: str | None, database: str | None, parameters: bytes) -> None:
    assert APP.routed(user, database).encode() == packet(196608, parameters)


def test_without_a_database_the_apps_own_user_names_it() -> None:
    assert StartupPacket(196608, ((b"user", b"shop"),)).routed("own", None).parameters == (
        (b"database", b"shop"),
        (b"user", b"own"),
    )
    assert StartupPacket(196608, ()).routed("own", None).parameters == ((b"user", b"own"),)
    empty = StartupPacket(196608, ((b"user", b"shop"), (b"database", b""))).routed("own", None)
    assert empty.parameters == ((b"user", b"own"), (b"database", b"shop"))


def test_what_is_said_twice_is_replaced_twice_since_the_last_one_counts() -> None:
    twice = StartupPacket(196608, ((b"user", b"app"), (b"database", b"shop"), (b"user", b"root")))
    routed = twice.routed("own", "real")
    assert routed.parameters == ((b"user", b"own"), (b"database", b"real"), (b"user", b"own"))


@given(st.lists(st.one_of(st.just(SSL), st.just(GSS), st.binary(max_size=60)), max_size=5), st.integers(1, 9))
def test_no_input_is_a_surprise(pieces: list[bytes], step: int) -> None:
    with contextlib.suppress(ProtocolViolation):
        converse(*pieces, step=step)


NAMES = st.binary(min_size=1, max_size=20).filter(lambda each: b"\0" not in each)


@given(st.lists(st.tuples(NAMES, NAMES), max_size=8))
def test_a_packet_reads_as_it_was_written(parameters: list[tuple[bytes, bytes]]) -> None:
    written = StartupPacket(196608, tuple(parameters))
    assert converse(written.encode(), step=3) == [written]
