"""TLS contexts: whom a client believes, what a server shows, and what happens with files that cannot be used."""

import contextlib
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from chassis.tls import client_context, server_context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def test_it_believes_the_system_by_default_and_checks_the_name() -> None:
    context = client_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_it_believes_the_given_authorities_alone(ca_file: Path) -> None:
    assert len(client_context(ca_file=ca_file).get_ca_certs()) == 1


def test_the_name_alone_can_be_left_unchecked(ca_file: Path) -> None:
    context = client_context(ca_file=ca_file, check_hostname=False)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, False)


def test_it_can_believe_anyone() -> None:
    context = client_context(verify=False)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize("content", ["", "not a certificate"])
def test_a_file_of_authorities_that_holds_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ssl.SSLError):
        client_context(ca_file=tmp_path / "ca.pem")


def test_a_key_with_a_passphrase_is_refused_instead_of_asking_the_terminal(
    authority: trustme.CA, tmp_path: Path
) -> None:
    pair = authority.issue_cert("app")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    key = serialization.load_pem_private_key(pair.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "key.pem").write_bytes(locked)
    with pytest.raises(ssl.SSLError):
        client_context(cert_file=tmp_path / "cert.pem", key_file=tmp_path / "key.pem")


def test_a_server_shows_its_certificate_to_a_client_that_believes_it(
    authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    pair = authority.issue_cert("db.example")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    shown = server_context(tmp_path / "cert.pem", tmp_path / "key.pem", alpn=["x"])
    server = shown.wrap_bio(to_server, to_client, server_side=True)
    client = client_context(ca_file=ca_file, alpn=["x"]).wrap_bio(to_client, to_server, server_hostname="db.example")
    for side in (client, server, client, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert (server.selected_alpn_protocol(), client.selected_alpn_protocol()) == ("x", "x")
    assert client.getpeercert()


def test_no_tls_is_loaded_before_it_is_asked_for() -> None:
    code = "import sys, chassis.tls; sys.exit('ssl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
