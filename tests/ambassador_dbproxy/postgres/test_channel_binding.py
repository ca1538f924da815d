"""The channel binding of real certificates, and of what is none."""

import hashlib
import ssl
from pathlib import Path

import trustme
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.postgres.channel_binding import tls_server_end_point


def test_the_hash_is_that_of_the_signature(tmp_path: Path) -> None:
    pem = trustme.CA().issue_cert("localhost").cert_chain_pems[0].bytes().decode()
    der = ssl.PEM_cert_to_DER_cert(pem)
    assert tls_server_end_point(der) == hashlib.sha256(der).digest()


@given(st.binary(max_size=40))
def test_anything_else_has_none(der: bytes) -> None:
    assert tls_server_end_point(der) is None
