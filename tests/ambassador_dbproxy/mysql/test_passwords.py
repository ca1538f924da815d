"""Proofs of a password: against the servers' own arithmetic, as a server would check them."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.mysql import passwords, rsa

NONCE = bytes(range(1, 21))


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


@given(st.binary(min_size=1, max_size=80))
def test_native_convinces_a_server_that_knows_the_double_hash(password: bytes) -> None:
    stored = hashlib.sha1(hashlib.sha1(password).digest()).digest()
    once = xor(passwords.native(password, NONCE), hashlib.sha1(NONCE + stored).digest())
    assert hashlib.sha1(once).digest() == stored


@given(st.binary(min_size=1, max_size=80))
def test_sha2_convinces_a_server_that_knows_the_double_hash(password: bytes) -> None:
    stored = hashlib.sha256(hashlib.sha256(password).digest()).digest()
    once = xor(passwords.sha2(password, NONCE), hashlib.sha256(stored + NONCE).digest())
    assert hashlib.sha256(once).digest() == stored


def test_known_values() -> None:
    assert passwords.native(b"secret", NONCE).hex() == "b32bb3a583e1340c0a1108d58b1be49781ad8c2f"
    assert passwords.sha2(b"secret", NONCE).hex() == (
        "746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9"
    )


def test_an_empty_password_is_no_proof() -> None:
    assert passwords.native(b"", NONCE) == b""
    assert passwords.sha2(b"", NONCE) == b"\0"
    assert passwords.clear(b"") == b"\0"


@given(st.binary(max_size=100))
def test_a_veiled_password_is_unveiled_with_the_nonce(password: bytes) -> None:
    veiled = passwords.veiled(password, NONCE)
    assert xor(veiled, (NONCE * 6)[: len(veiled)]) == password + b"\0"


@pytest.fixture(scope="module", params=[1024, 2048, 2056])
def key_files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A private key's file and its public half in PEM."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine")
    private = tmp_path_factory.mktemp("rsa") / "key.pem"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{request.param}", "-out", str(private))
    return private, openssl("pkey", "-in", str(private), "-pubout")


def openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("message", [b"", b"x", b"correct horse\0", bytes(range(86))])
def test_openssl_decrypts_what_was_encrypted(key_files: tuple[Path, bytes], message: bytes) -> None:
    private, public = key_files
    for seed in (bytes(20), b"\xff" * 20, bytes(range(20))):
        sent = rsa.encrypt(rsa.PublicKey.read(public), message, seed)
        options = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1")
        assert openssl("pkeyutl", "-decrypt", "-inkey", str(private), *options, stdin=sent) == message


def test_a_message_too_long_for_the_key(key_files: tuple[Path, bytes]) -> None:
    key = rsa.PublicKey.read(key_files[1])
    rsa.encrypt(key, b"x" * (key.size - 42), bytes(20))
    with pytest.raises(ValueError, match="too long"):
        rsa.encrypt(key, b"x" * (key.size - 41), bytes(20))


def test_keys_that_are_none(key_files: tuple[Path, bytes]) -> None:
    public = key_files[1]
    lines = public.splitlines()
    for bad in (
        b"",
        public.replace(b"BEGIN", b"START"),
        b"\n".join([lines[0], b"?" + lines[1], *lines[2:]]),
        b"\n".join([lines[0], lines[1], lines[-1]]),
        b"\n".join([lines[0], lines[-1]]),
    ):
        with pytest.raises(rsa.BadKey):
            rsa.PublicKey.read(bad)


@pytest.mark.parametrize(
    ("algorithm", "option", "why"),
    [("EC", "ec_paramgen_curve:P-256", "not for RSA"), ("RSA", "rsa_keygen_bits:512", "not of 1024 to 8192 bits")],
)
def test_keys_of_another_kind(tmp_path: Path, algorithm: str, option: str, why: str) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine")
    private = tmp_path / "key"
    openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", str(private))
    with pytest.raises(rsa.BadKey, match=why):
        rsa.PublicKey.read(openssl("pkey", "-in", str(private), "-pubout"))


@given(st.binary(max_size=200))
def test_any_der_is_a_key_or_none(der: bytes) -> None:
    import base64

    pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----\n"
    with pytest.raises(rsa.BadKey):
        rsa.PublicKey.read(pem)
