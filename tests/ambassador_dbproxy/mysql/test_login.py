"""The upstream login as transcripts: what the server asks, what we prove, and what is never sent."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.mysql import passwords
from ambassador_dbproxy.mysql.login import MAX_SWITCHES, LoginFailed, LoginState, ServerRefused, UpstreamLogin
from ambassador_dbproxy.mysql.passwords import CLEAR, NATIVE, SHA2
from ambassador_dbproxy.mysql.wire import ProtocolViolation

NONCE, OTHER = bytes(range(1, 21)), bytes(range(101, 121))
OK = b"\0\0\0\2\0\0\0"
DENIED = b"\xff\x15\x04#28000Access denied for user 'app'@'x' (using password: YES)"


def login(password: str | None = "secret", *require_auth: str, secure: bool = False) -> UpstreamLogin:
    return UpstreamLogin(password=password, secure=secure, require_auth=frozenset(require_auth), seed=bytes)


def receive_all(it: UpstreamLogin, bodies: list[bytes]) -> list[bytes]:
    return [it.receive(body) or b"" for body in bodies]


def switch(plugin: bytes, nonce: bytes = OTHER) -> bytes:
    return b"\xfe" + plugin + b"\0" + nonce + b"\0"


def test_native_at_once() -> None:
    it = login()
    assert it.begin(NATIVE, NONCE) == (NATIVE, passwords.native(b"secret", NONCE))
    assert it.receive(OK) is None
    assert it.state is LoginState.READY


def test_a_switch_recomputes_with_its_own_nonce() -> None:
    it = login()
    it.begin(SHA2, NONCE)
    assert it.receive(switch(NATIVE)) == passwords.native(b"secret", OTHER)
    assert it.receive(switch(SHA2, NONCE)) == passwords.sha2(b"secret", NONCE)
    assert it.receive(b"\1\3") is None
    assert it.receive(OK) is None
    assert it.state is LoginState.READY


def test_sha2_from_the_servers_cache() -> None:
    it = login()
    assert it.begin(SHA2, NONCE) == (SHA2, passwords.sha2(b"secret", NONCE))
    assert it.receive(b"\1\3") is None
    assert it.state is LoginState.KNOWN
    assert it.receive(OK) is None


def test_sha2_in_full_where_nobody_else_can_read() -> None:
    it = login("sécret", secure=True)
    it.begin(SHA2, NONCE)
    assert it.receive(b"\1\4") == "sécret".encode() + b"\0"
    it.receive(OK)
    assert it.state is LoginState.READY


def test_sha2_in_full_encrypted_for_the_server(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine")
    private = tmp_path / "key"
    subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", private, "-pubout"], check=True, capture_output=True).stdout
    it = login("a password longer than the nonce")
    it.begin(SHA2, NONCE)
    assert it.receive(b"\1\4") == b"\2"
    sent = it.receive(b"\1" + public)
    assert sent is not None
    command = ["openssl", "pkeyutl", "-decrypt", "-inkey", private, "-pkeyopt", "rsa_padding_mode:oaep"]
    veiled = subprocess.run(command, input=sent, check=True, capture_output=True).stdout
    assert veiled == passwords.veiled(b"a password longer than the nonce", NONCE)
    it.receive(OK)
    assert it.state is LoginState.READY


@pytest.mark.parametrize("key", [b"\1", b"\1no key", b"\1-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_key_that_is_none(key: bytes) -> None:
    it = login()
    it.begin(SHA2, NONCE)
    it.receive(b"\1\4")
    with pytest.raises(LoginFailed, match="cannot be encrypted for the server"):
        it.receive(key)


def test_the_password_in_clear_goes_where_nobody_else_can_read_only() -> None:
    it = login(secure=True)
    it.begin(NATIVE, NONCE)
    assert it.receive(switch(CLEAR, b"")) == b"secret\0"
    it = login()
    it.begin(NATIVE, NONCE)
    with pytest.raises(LoginFailed, match="sent under TLS only"):
        it.receive(switch(CLEAR, b""))
    # A greeting cannot make us open with it.
    assert login().begin(CLEAR, NONCE) == (NATIVE, passwords.native(b"secret", NONCE))


def test_no_password() -> None:
    it = login(None)
    assert it.begin(NATIVE, NONCE) == (NATIVE, b"")
    assert it.receive(switch(SHA2)) == b"\0"
    it.receive(OK)
    assert it.state is LoginState.READY


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (switch(b"client_ed25519"), "asks for 'client_ed25519', which is not supported"),
        (b"\xfe", "before 4.1"),
        (switch(NATIVE), "require_auth allows only caching_sha2_password"),
    ],
)
def test_methods_that_are_not_followed(asked: bytes, why: str) -> None:
    it = login("secret", "caching_sha2_password")
    it.begin(SHA2, NONCE)
    with pytest.raises(LoginFailed, match=why):
        it.receive(asked)


def test_what_require_auth_excludes_gets_no_proof() -> None:
    it = login("secret", "caching_sha2_password")
    assert it.begin(NATIVE, NONCE) == (NATIVE, b"")
    with pytest.raises(LoginFailed, match="without any of: caching_sha2_password"):
        it.receive(OK)
    it = login("secret", "caching_sha2_password")
    it.begin(NATIVE, NONCE)
    assert it.receive(switch(SHA2)) == passwords.sha2(b"secret", OTHER)


@pytest.mark.parametrize("before", [[], [b"\1\3"], [b"\1\4"]])
def test_the_servers_no_is_kept_as_it_was_said(before: list[bytes]) -> None:
    it = login()
    it.begin(SHA2, NONCE)
    for body in before:
        it.receive(body)
    with pytest.raises(ServerRefused) as caught:
        it.receive(DENIED)
    assert (caught.value.error.number, caught.value.error.sqlstate, caught.value.body) == (1045, "28000", DENIED)
    assert it.state is LoginState.REFUSED


@pytest.mark.parametrize(
    ("plugin", "bodies"),
    [
        (NATIVE, [b""]),
        (NATIVE, [b"\1\3"]),
        (NATIVE, [b"\2"]),
        (NATIVE, [OK, OK]),
        (NATIVE, [switch(NATIVE, b"short")]),
        (NATIVE, [switch(NATIVE)] * (MAX_SWITCHES + 1)),
        (SHA2, [b"\1\5"]),
        (SHA2, [b"\1\3", b"\1\3"]),
        (SHA2, [b"\1\3", switch(NATIVE)]),
        (SHA2, [b"\1\4", OK]),
    ],
)
def test_what_a_server_may_not_say(plugin: bytes, bodies: list[bytes]) -> None:
    it = login()
    it.begin(plugin, NONCE)
    with pytest.raises(ProtocolViolation):
        receive_all(it, bodies)


BODIES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([OK, DENIED, b"\1\3", b"\1\4", switch(NATIVE), switch(SHA2), switch(CLEAR), b"\1-----BEGIN"]),
)


@given(st.lists(BODIES, max_size=8), st.booleans(), st.sampled_from([NATIVE, SHA2, b"other"]))
def test_whatever_the_server_says_the_password_never_goes_out_in_clear(
    bodies: list[bytes], secure: bool, plugin: bytes
) -> None:
    it = login("the-secret", secure=secure)
    sent, said = [it.begin(plugin, NONCE)[1]], ""
    try:
        sent.extend(it.receive(body) or b"" for body in bodies)  # keeps what came before an error
    except (ProtocolViolation, LoginFailed, ServerRefused) as error:
        said = str(error)
    assert "the-secret" not in said
    assert secure or not any(b"the-secret" in each for each in sent)
