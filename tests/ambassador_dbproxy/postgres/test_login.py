"""The upstream login as transcripts: what the server says, what we do, and what it may not say."""

import contextlib
import hashlib
import hmac
import struct
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.postgres.login import (
    LoginFailed,
    LoginState,
    ServerRefused,
    UpstreamLogin,
    _parameters,
    read_backend_key,
    without_channel_binding,
)
from ambassador_dbproxy.postgres.scram import Challenge, salted_password
from ambassador_dbproxy.postgres.wire import Message, ProtocolViolation, encode


def auth(code: int, body: bytes = b"") -> Message:
    return Message(b"R", struct.pack(">I", code) + body)


OK, CLEARTEXT, MD5 = auth(0), auth(3), auth(5, b"salt")
SASL = auth(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
READY = Message(b"Z", b"I")
GREETING = [
    Message(b"S", b"server_version\x0018.0\0"),
    Message(b"S", b"in_hot_standby\0on\0"),
    Message(b"K", b"\0\0\0\7" + b"k" * 32),
    Message(b"N", b"SNOTICE\0Mhello\0\0"),
    READY,
]


def login(password: str | None = "secret", *require_auth: str) -> UpstreamLogin:
    return UpstreamLogin(user="app", password=password, require_auth=frozenset(require_auth), nonce="abc")


def receive_all(it: UpstreamLogin, messages: list[Message]) -> None:
    for message in messages:
        if isinstance(it.receive(message), Challenge):
            it.derived(b"x" * 32)


def test_trust_and_what_the_app_is_shown() -> None:
    it = login(None)
    notice = Message(b"v", b"\0\0\0\0\0\0\0\0")
    for message in (notice, OK, *GREETING):
        assert it.receive(message) is None
    assert it.state is LoginState.READY
    assert bytes(it.greeting) == b"".join(each.encode() for each in (notice, OK, *GREETING))
    assert it.backend_key == (7, b"k" * 32)
    assert it.in_hot_standby is True


PARAMETERS = st.lists(
    st.sampled_from(
        [
            Message(b"S", b"server_version\x0018.0\0"),
            Message(b"S", b"in_hot_standby\0on\0"),
            Message(b"N", b"SNOTICE\0\0"),
            Message(b"K", b"\0\0\0\7key!"),
        ]
    )
)


@given(PARAMETERS, st.integers(0, 200), st.sampled_from([b"", b"Z", b"behind", READY.encode()]))
def test_what_comes_in_one_pass_is_the_same_as_one_by_one(messages: list[Message], cut: int, behind: bytes) -> None:
    stream = b"".join(message.encode() for message in (OK, *messages, READY)) + behind
    slow, fast = login(None), login(None)
    receive_all(slow, [OK, *messages, READY])
    assert fast.feed(stream[:cut]) + fast.feed(stream[cut:]) == b""
    assert (fast.state, fast.hungry, fast.take_rest()) == (LoginState.READY, False, behind)
    assert (fast.greeting, fast.backend_key) == (slow.greeting, slow.backend_key)
    assert fast.in_hot_standby == slow.in_hot_standby


@pytest.mark.parametrize("key_bytes", [4, 32, 256])
def test_parameters_are_kept_whatever_the_key_behind_them(key_bytes: int) -> None:
    _parameters.cache_clear()
    parameters = b"".join(each.encode() for each in GREETING[:2])
    for filler in (b"a", b"K", b"\xff"):
        it = login(None)
        it.receive(OK)
        key = Message(b"K", b"\0\0\0\7" + filler * key_bytes)
        assert it.greet(parameters + key.encode()) == len(parameters)
    assert _parameters.cache_info().misses == 1


def test_cleartext() -> None:
    it = login()
    assert it.receive(CLEARTEXT) == encode(b"p", b"secret\0")
    assert it.receive(OK) is None
    assert it.state is LoginState.AUTHENTICATED


def test_md5() -> None:
    inner = hashlib.md5(b"secretapp").hexdigest().encode()
    expected = b"md5" + hashlib.md5(inner + b"salt").hexdigest().encode() + b"\0"
    assert login().receive(MD5) == encode(b"p", expected)


def test_scram_bound_to_the_certificate() -> None:
    it = UpstreamLogin(user="app", password="secret", require_auth=frozenset(), nonce="abc", end_point=b"hash")
    first = b"p=tls-server-end-point,,n=,r=abc"
    assert it.receive(SASL) == encode(b"p", b"SCRAM-SHA-256-PLUS\0" + struct.pack(">I", len(first)) + first)
    assert isinstance(it.receive(auth(11, b"r=abcdef,s=" + b64encode(b"salt") + b",i=4096")), Challenge)
    assert b"c=" + b64encode(b"p=tls-server-end-point,,hash") + b"," in it.derived(b"x" * 32)


def test_over_tls_a_server_is_told_that_its_offer_of_a_binding_did_not_come() -> None:
    it = UpstreamLogin(user="app", password="secret", require_auth=frozenset(), nonce="abc", end_point=b"hash")
    first = b"y,,n=,r=abc"
    offer = auth(10, b"SCRAM-SHA-256\0\0")
    assert it.receive(offer) == encode(b"p", b"SCRAM-SHA-256\0" + struct.pack(">I", len(first)) + first)
    assert isinstance(it.receive(auth(11, b"r=abcdef,s=" + b64encode(b"salt") + b",i=4096")), Challenge)
    assert b"c=" + b64encode(b"y,,") + b"," in it.derived(b"x" * 32)


def test_scram() -> None:
    it = login()
    first = b"n,,n=,r=abc"
    assert it.receive(SASL) == encode(b"p", b"SCRAM-SHA-256\0" + struct.pack(">I", len(first)) + first)
    server_first = b"r=abcdef,s=" + b64encode(b"salt") + b",i=4096"
    action = it.receive(auth(11, server_first))
    assert isinstance(action, Challenge)
    salted = salted_password("secret", action)
    final = it.derived(salted)[5:]
    without_proof, _, proof = final.rpartition(b",p=")
    messages = b"n=,r=abc," + server_first + b"," + without_proof
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), messages, "sha256")
    assert bytes(a ^ b for a, b in zip(b64decode(proof), signature, strict=True)) == client_key
    verdict = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), messages, "sha256")
    assert it.receive(auth(12, b"v=" + b64encode(verdict))) is None
    assert it.receive(OK) is None
    assert it.state is LoginState.AUTHENTICATED
    assert bytes(it.greeting) == OK.encode()


@pytest.mark.parametrize("known", [True, False])
@given(st.integers(1, 400))
def test_scram_however_it_is_cut(known: bool, size: int) -> None:
    salted = salted_password("secret", Challenge(b"salt", 1))
    it = UpstreamLogin(
        user="app",
        password="secret",
        require_auth=frozenset(),
        nonce="abc",
        salted=lambda challenge: salted if known and challenge == Challenge(b"salt", 1) else None,
    )
    server_first = b"r=abcdef,s=" + b64encode(b"salt") + b",i=1"
    assert fed(it, SASL.encode(), size) == encode(b"p", b"SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc")
    final = fed(it, auth(11, server_first).encode(), size)
    assert it.hungry is known
    if not known:
        assert (final, it.challenge) == (b"", Challenge(b"salt", 1))
        final = it.derived(salted)
    without_proof = b"c=biws,r=abcdef"
    assert final[5:].startswith(without_proof + b",p=")
    messages = b"n=,r=abc," + server_first + b"," + without_proof
    verdict = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), messages, "sha256")
    rest = (auth(12, b"v=" + b64encode(verdict)), OK, *GREETING)
    assert fed(it, b"".join(each.encode() for each in rest), size) == b""
    assert (it.state, it.hungry) == (LoginState.READY, False)
    assert bytes(it.greeting) == b"".join(each.encode() for each in (OK, *GREETING))


def fed(it: UpstreamLogin, stream: bytes, size: int) -> bytes:
    return b"".join(it.feed(stream[at : at + size]) for at in range(0, len(stream), size))


def test_a_server_that_skips_its_own_proof_is_not_believed() -> None:
    it = login()
    it.receive(SASL)
    it.receive(auth(11, b"r=abcdef,s=" + b64encode(b"salt") + b",i=1"))
    it.derived(b"x" * 32)
    with pytest.raises(ProtocolViolation, match="unexpected authentication request 0"):
        it.receive(OK)


def test_a_false_proof_of_the_server() -> None:
    it = login()
    it.receive(SASL)
    it.receive(auth(11, b"r=abcdef,s=" + b64encode(b"salt") + b",i=1"))
    it.derived(b"x" * 32)
    with pytest.raises(LoginFailed, match="signature is false"):
        it.receive(auth(12, b"v=" + b64encode(b"y" * 32)))


@pytest.mark.parametrize(
    ("message", "allowed", "asked"),
    [
        (OK, "scram-sha-256", "none"),
        (CLEARTEXT, "scram-sha-256", "password"),
        (MD5, "none", "md5"),
        (SASL, "md5", "scram"),
    ],
)
def test_require_auth(message: Message, allowed: str, asked: str) -> None:
    with pytest.raises(LoginFailed, match=f"asks for {asked}.*allows only {allowed}"):
        login("secret", allowed).receive(message)


@pytest.mark.parametrize("message", [CLEARTEXT, MD5, SASL])
def test_a_password_that_is_not_configured(message: Message) -> None:
    with pytest.raises(LoginFailed, match="password_file"):
        login(None).receive(message)


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([auth(7)], "method 7, which is not supported"),
        ([auth(10, b"OTHER\0\0")], "no SASL mechanism"),
        ([auth(10, b"SCRAM-SHA-256\0\0"), auth(11, b"r=xyz,s=AAAA,i=1")], "nonce"),
    ],
)
def test_logins_that_cannot_go_on(messages: list[Message], reason: str) -> None:
    with pytest.raises(LoginFailed, match=reason):
        receive_all(login(), messages)


@pytest.mark.parametrize(
    "messages", [[READY], [CLEARTEXT, CLEARTEXT], [OK, OK], [Message(b"R", b"")], [Message(b"D", b"")], [auth(5, b"x")]]
)
def test_messages_out_of_turn(messages: list[Message]) -> None:
    with pytest.raises(ProtocolViolation):
        receive_all(login(), messages)


def test_a_refusal_keeps_the_servers_words() -> None:
    error = Message(b"E", b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0")
    with pytest.raises(ServerRefused) as caught:
        login().receive(error)
    assert caught.value.error.sqlstate == "28P01"
    assert caught.value.body == error.body


def test_the_greeting_is_bounded() -> None:
    with pytest.raises(ProtocolViolation, match="262144"):
        receive_all(login(), [OK, *[Message(b"N", b"x" * 60_000)] * 10])


@pytest.mark.parametrize("message", [Message(b"N", b""), Message(b"S", b"")])
def test_however_many_notices_there_are_what_follows_is_not_looked_at_behind_each(message: Message) -> None:
    looked_at = 0

    class Looking(UpstreamLogin):
        def greet(self, unread: bytes) -> int:
            nonlocal looked_at
            looked_at += len(unread)
            return super().greet(unread)

    it = Looking(user="app", password=None, require_auth=frozenset(), nonce="abc")
    stream = OK.encode() + (Message(b"N", b"").encode() + message.encode()) * 1000 + READY.encode()
    it.feed(stream)
    assert it.state is LoginState.READY
    assert looked_at <= len(stream)


@pytest.mark.parametrize("body", [b"", b"\0\0\0\1abc", b"\0\0\0\1" + b"k" * 257])
def test_backend_keys_of_impossible_length(body: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_backend_key(body)


MESSAGES = st.one_of(
    st.builds(auth, st.sampled_from([0, 3, 5, 7, 10, 11, 12]), st.binary(max_size=40)),
    st.builds(Message, st.sampled_from([b"S", b"K", b"N", b"Z", b"v", b"E", b"D"]), st.binary(max_size=40)),
    st.sampled_from([OK, SASL, MD5, CLEARTEXT, READY]),
)


@given(st.lists(MESSAGES, max_size=8))
def test_no_conversation_is_a_surprise(messages: list[Message]) -> None:
    it = login()
    with contextlib.suppress(LoginFailed, ServerRefused, ProtocolViolation):
        receive_all(it, messages)


@pytest.mark.parametrize(
    ("kind", "body", "shown"),
    [
        (b"R", b"\0\0\0\nSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", b"\0\0\0\nSCRAM-SHA-256\0\0"),
        (b"R", b"\0\0\0\nSCRAM-SHA-256\0\0", b"\0\0\0\nSCRAM-SHA-256\0\0"),
        (b"R", b"\0\0\0\x0br=-PLUS\0", b"\0\0\0\x0br=-PLUS\0"),
        (b"N", b"\0\0\0\nX-PLUS\0\0", b"\0\0\0\nX-PLUS\0\0"),
        (b"R", b"", b""),
    ],
)
def test_an_app_that_logs_in_by_itself_is_offered_no_channel_binding(kind: bytes, body: bytes, shown: bytes) -> None:
    assert without_channel_binding(Message(kind, body)) == Message(kind, shown)
