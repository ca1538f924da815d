"""SCRAM-SHA-256 against the example of RFC 7677, and against servers that lie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.postgres.saslprep import Prohibited, saslprep
from ambassador_dbproxy.postgres.scram import (
    MAX_ITERATIONS,
    Challenge,
    ScramClient,
    ScramError,
    prepared_password,
    salted_password,
)

NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = NONCE + "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SERVER_FIRST = f"r={SERVER_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode()


class RfcClient(ScramClient):
    """With the user name of the RFC's example in its first message; PostgreSQL wants it empty."""

    def __init__(self) -> None:
        super().__init__(NONCE)
        self._first_bare = f"n=user,r={NONCE}".encode()


def test_the_example_of_the_rfc() -> None:
    client = RfcClient()
    assert client.first() == f"n,,n=user,r={NONCE}".encode()
    salted = salted_password("pencil", client.challenge(SERVER_FIRST))
    assert client.final(salted) == (f"c=biws,r={SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode())
    client.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize(
    "answer",
    [b"v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", b"v=", b"v=!", b"e=other-error", b"", b"x=1", b"\xff"],
)
def test_a_server_that_does_not_know_the_password_is_not_believed(answer: bytes) -> None:
    client = RfcClient()
    client.final(salted_password("pencil", client.challenge(SERVER_FIRST)))
    with pytest.raises(ScramError):
        client.verify(answer)


@pytest.mark.parametrize(
    ("server_first", "reason"),
    [
        (b"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce"),
        (f"r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode(), "nonce"),
        (f"r={NONCE}x,s=,i=4096".encode(), "salt"),
        (f"r={NONCE}x,s=*,i=4096".encode(), "base64"),
        (f"r={NONCE}x,s=AAAA,i=0".encode(), "iterations"),
        (f"r={NONCE}x,s=AAAA,i={MAX_ITERATIONS + 1}".encode(), "iterations"),
        (f"r={NONCE}x,s=AAAA,i=9999999999999".encode(), "iterations"),
        (f"r={NONCE}x,s=AAAA,i=-1".encode(), "iterations"),
        (f"m=ext,r={NONCE}x,s=AAAA,i=1".encode(), "lacks"),
        (f"r={NONCE}x,s=AAAA".encode(), "lacks"),
        (b"\xff", "lacks"),
    ],
)
def test_a_false_challenge_is_refused(server_first: bytes, reason: str) -> None:
    with pytest.raises(ScramError, match=reason):
        ScramClient(NONCE).challenge(server_first)


def test_verifying_before_proving_fails() -> None:
    with pytest.raises(ScramError):
        ScramClient(NONCE).verify(b"v=")


@given(st.binary(max_size=200))
def test_no_challenge_is_a_surprise(data: bytes) -> None:
    try:
        challenge = ScramClient(NONCE).challenge(data)
    except ScramError:
        return
    assert 0 < challenge.iterations <= MAX_ITERATIONS


@pytest.mark.parametrize(
    ("text", "prepared"),
    [("I\u00adX", "IX"), ("user", "user"), ("\u00aa", "a"), ("\u2168", "IX"), ("a\u00a0b", "a b")],
)
def test_saslprep(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize("text", ["\u0007", "\u0627\u0031", "\u00ad", "\ue000", "\u0627a\u0627"])
def test_what_saslprep_forbids_is_hashed_as_it_stands(text: str) -> None:
    with pytest.raises(Prohibited):
        saslprep(text)
    assert prepared_password(text) == text.encode()


@given(st.text(max_size=30))
def test_any_password_can_be_prepared(text: str) -> None:
    assert salted_password(text.encode("utf-8", "replace").decode(), Challenge(b"salt", 1))
