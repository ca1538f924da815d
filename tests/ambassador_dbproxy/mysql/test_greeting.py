"""The opening packets: read, changed where the legs differ, written; the rest untouched to the bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.mysql import capabilities as can
from ambassador_dbproxy.mysql.greeting import Greeting, LoginRequest
from ambassador_dbproxy.mysql.passwords import NATIVE, SHA2
from ambassador_dbproxy.mysql.wire import ProtocolViolation

MARIADB_10_11 = bytes.fromhex(
    "0a352e352e352d31302e31312e31392d4d6172696144422d302b646562313275310006000000"
    "284c6f3e5d4c6d6a00fef72d0200ff8115000000000000 1d000000 3e2a556b6d5a6e4f30565b6e00".replace(" ", "")
)
SCRAMBLE = bytes(range(1, 21))


def greeting(**changes: object) -> Greeting:
    facts: dict[str, object] = {
        "version": b"8.0.36",
        "thread_id": 77,
        "scramble": SCRAMBLE,
        "capabilities": 0xDFFFFFFF,
        "charset": 255,
        "status": 2,
        "plugin": SHA2,
        **changes,
    }
    return Greeting(**facts)  # type: ignore[arg-type]


def test_mariadbs_greeting_with_its_extended_capabilities() -> None:
    body = MARIADB_10_11 + b"mysql_native_password\0"
    read = Greeting.read(body)
    assert read.version == b"5.5.5-10.11.19-MariaDB-0+deb12u1"
    assert (read.thread_id, read.plugin) == (6, NATIVE)
    assert read.capabilities >> 32 == 0x1D
    assert not read.capabilities & can.MYSQL
    assert read.encode() == body


def test_what_the_app_is_shown() -> None:
    shown = greeting().for_app(b"s" * 20)
    assert (shown.version, shown.thread_id, shown.charset, shown.status) == (b"8.0.36", 77, 255, 2)
    assert (shown.scramble, shown.plugin) == (b"s" * 20, SHA2)
    assert shown.capabilities == 0xDFFFFFFF & ~can.NEVER_OFFERED
    assert not shown.capabilities & (can.SSL | can.COMPRESS | can.ZSTD)
    assert Greeting.read(shown.encode()) == shown


def test_a_plugin_that_not_every_client_has_is_not_offered() -> None:
    assert greeting(plugin=b"sha256_password").for_app(SCRAMBLE).plugin == NATIVE
    assert greeting(plugin=b"sha256_password").passed_through().plugin == b"sha256_password"
    assert greeting().passed_through().scramble == SCRAMBLE


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x09" + MARIADB_10_11[1:], "protocol version 9"),
        (greeting(capabilities=can.SECURE_CONNECTION).encode(), "older than protocol 4.1"),
        (MARIADB_10_11[:40], "middle of a field"),
        (b"", "middle of a field"),
    ],
)
def test_what_is_no_greeting(body: bytes, why: str) -> None:
    with pytest.raises(ProtocolViolation, match=why):
        Greeting.read(body)


APP = (
    can.MYSQL | can.PROTOCOL_41 | can.SECURE_CONNECTION | can.PLUGIN_AUTH | can.CONNECT_ATTRS | can.DEPRECATE_EOF
)  # fmt: skip
ATTRIBUTES = b"\4_pid\x0242"


def request(**changes: object) -> LoginRequest:
    facts: dict[str, object] = {
        "capabilities": APP | can.CONNECT_WITH_DB,
        "head": (APP | can.CONNECT_WITH_DB).to_bytes(4, "little") + b"\0\0\0\1\x2d" + bytes(19) + b"\x1d\0\0\0",
        "user": b"whoever",
        "auth": b"a" * 20,
        "database": b"whatever",
        "plugin": NATIVE,
        "attributes": ATTRIBUTES,
        **changes,
    }
    return LoginRequest(**facts)  # type: ignore[arg-type]


def test_a_response_is_read_and_written() -> None:
    body = request().encode()
    assert LoginRequest.read(body) == request()
    assert body[32:] == b"whoever\0\x14" + b"a" * 20 + b"whatever\0mysql_native_password\0\x08" + ATTRIBUTES


def test_the_response_for_the_server() -> None:
    routed = request().routed(0xFFFFFFFF, b"app", b"app_test").proven(SHA2, b"p" * 32)
    sent = LoginRequest.read(routed.encode())
    assert (sent.user, sent.auth, sent.database, sent.plugin) == (b"app", b"p" * 32, b"app_test", SHA2)
    assert (sent.attributes, sent.head[4:]) == (ATTRIBUTES, request().head[4:])
    assert sent.capabilities == APP | can.CONNECT_WITH_DB | can.PLUGIN_AUTH_LENENC


def test_without_a_database_of_the_environment_the_apps_own_is_kept() -> None:
    assert request().routed(0, b"app", None).database == b"whatever"
    none = request(capabilities=APP, database=None).routed(0, b"app", None)
    assert none.database is None
    assert not none.capabilities & can.CONNECT_WITH_DB


def test_session_capabilities_are_the_apps_and_only_the_login_differs() -> None:
    app = request(capabilities=APP | can.COMPRESS | can.ZSTD)
    routed = app.routed(can.PLUGIN_AUTH, b"app", None)
    assert routed.capabilities == can.MYSQL | can.PROTOCOL_41 | can.SECURE_CONNECTION | can.PLUGIN_AUTH | (
        can.DEPRECATE_EOF | can.CONNECT_WITH_DB
    )


def test_the_request_for_tls_is_the_responses_head() -> None:
    head = request().encode_head(can.SSL)
    assert len(head) == 32
    assert int.from_bytes(head[:4], "little") == request().capabilities | can.SSL
    assert request().encode(extra=can.SSL)[:32] == head


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x85\xa6\0\0\0\1root\0", "older than protocol 4.1"),
        (request(capabilities=APP | can.SSL).encode(), "asks for TLS"),
        (request(capabilities=APP | can.COMPRESS).encode(), "asks for compression"),
        (request().encode()[:45], "middle of a field"),
    ],
)
def test_what_is_no_response(body: bytes, why: str) -> None:
    with pytest.raises(ProtocolViolation, match=why):
        LoginRequest.read(body)


def test_a_change_of_user() -> None:
    body = b"\x11whoever\0\x02hiwhatever\0\x2d\0mysql_native_password\0\x08" + ATTRIBUTES
    read = LoginRequest.read_change(body, APP)
    assert (read.user, read.auth, read.database, read.plugin) == (b"whoever", b"hi", b"whatever", NATIVE)
    assert (read.head, read.attributes) == (b"\x2d\0", ATTRIBUTES)
    assert read.encode_change() == body
    routed = read.routed(0xFFFFFFFF, b"app", b"app_test").proven(NATIVE, b"p" * 20)
    assert routed.encode_change() == (
        b"\x11app\0\x14" + b"p" * 20 + b"app_test\0\x2d\0mysql_native_password\0\x08" + ATTRIBUTES
    )


def test_the_shortest_change_of_user() -> None:
    read = LoginRequest.read_change(b"\x11root\0\0\0", can.PROTOCOL_41 | can.SECURE_CONNECTION)
    assert (read.user, read.database, read.plugin, read.attributes) == (b"root", None, None, None)
    assert read.encode_change() == b"\x11root\0\0\0"


@given(st.binary(max_size=400), st.integers(0, 0xFFFFFFFF))
def test_any_bytes_are_read_or_a_violation(body: bytes, capabilities: int) -> None:
    for read in (
        lambda: Greeting.read(b"\x0a" + body),
        lambda: LoginRequest.read(body),
        lambda: LoginRequest.read((capabilities & ~can.SSL | can.PROTOCOL_41).to_bytes(4, "little") + body),
        lambda: LoginRequest.read_change(b"\x11" + body, capabilities),
    ):
        try:
            read()
        except ProtocolViolation:
            continue
