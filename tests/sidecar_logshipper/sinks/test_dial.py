"""Connecting: every failure has its word and names the peer; every wait can be ended."""

import os
import random
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from chassis.errors import OperatorError
from podmates.ports import free_port
from sidecar_logshipper.sinks.dial import Dial, check_tls
from sidecar_logshipper.sinks.seam import Unreachable
from sidecar_logshipper.sinks.settings import TlsSettings

from ..conftest import PATIENCE_S


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        yield listener


def dial(port: int, tls: TlsSettings | None = None, timeout: float = PATIENCE_S, host: str = "127.0.0.1") -> Dial:
    return Dial(host, port, tls=tls, timeout=timeout)


def failure(of: Dial) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        of.connect()
    return caught.value


def test_a_connection(listener: socket.socket) -> None:
    with dial(listener.getsockname()[1]).connect() as connection:
        served, _ = listener.accept()
        with served:
            served.sendall(b"hello")
            assert connection.recv(5) == b"hello"


def test_nobody_listens() -> None:
    port = free_port(random.Random())
    found = failure(dial(port))
    assert (found.reason, found.detail) == ("connection_refused", f"127.0.0.1:{port}: Connection refused")


def test_a_name_that_nobody_knows() -> None:
    found = failure(dial(1, host="nobody.invalid"))
    assert found.reason == "name_not_resolved"
    assert found.detail.startswith("nobody.invalid:1: ")


def test_no_handshake_in_time(listener: socket.socket) -> None:
    found = failure(dial(listener.getsockname()[1], TlsSettings(), timeout=0.05))
    assert found.reason == "timeout"
    assert "timed out" in found.detail


def test_a_server_that_speaks_no_tls(listener: socket.socket) -> None:
    def serve() -> None:
        served, _ = listener.accept()
        with served:
            served.recv(65536)
            served.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    found = failure(dial(listener.getsockname()[1], TlsSettings()))
    thread.join()
    assert found.reason == "tls_failed"


def test_a_handshake_is_ended_by_abort(listener: socket.socket) -> None:
    waiting = dial(listener.getsockname()[1], TlsSettings())
    found: list[Unreachable] = []
    thread = threading.Thread(target=lambda: found.append(failure(waiting)))
    thread.start()
    served, _ = listener.accept()
    with served:
        assert served.recv(1) == b"\x16"  # the handshake has begun
        waiting.abort()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert found
    assert failure(waiting).reason == "connection_lost"  # and there is no other


def test_a_foreign_certificate(listener: socket.socket, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    def serve() -> None:
        served, _ = listener.accept()
        with served, pytest.raises(OSError, match=r"alert|closed|EOF|reset|pipe|PEER"):
            context.wrap_socket(served, server_side=True).recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    found = failure(dial(port, TlsSettings(ca_file=tmp_path / "ca.pem", server_name="localhost")))
    thread.join()
    assert found.reason == "tls_failed"
    assert found.detail == f"127.0.0.1:{port}: unable to get local issuer certificate"


def test_files_that_are_no_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(OperatorError, match=r"^sink\.tls: cannot use ca_file /.*/ca\.pem: "):
        check_tls(TlsSettings(ca_file=tmp_path / "ca.pem"))
    with pytest.raises(OperatorError, match=r"^sink\.tls\.cert_file: cannot read /.*/none\.pem: No such file"):
        check_tls(TlsSettings(cert_file=tmp_path / "none.pem"))
    with pytest.raises(OperatorError, match=r"^sink\.tls\.cert_file: cannot read /.*: no regular file"):
        check_tls(TlsSettings(cert_file=tmp_path))


def test_a_pipe_in_place_of_a_certificate_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ca.pem")
    # Ready to be opened at once, so that a test that fails does not hang.
    other_end = os.open(tmp_path / "ca.pem", os.O_RDWR | os.O_NONBLOCK)
    os.write(other_end, b"-")
    with pytest.raises(OperatorError, match=r"^sink\.tls\.ca_file: cannot read /.*/ca\.pem: no regular file"):
        check_tls(TlsSettings(ca_file=tmp_path / "ca.pem"))
    os.close(other_end)
