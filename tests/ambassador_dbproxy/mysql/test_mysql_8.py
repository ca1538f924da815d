"""caching_sha2_password and mysql_clear_password, which MariaDB lacks, at a scripted server that checks every proof."""

import contextlib
import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from ambassador_dbproxy.mysql import capabilities as can
from ambassador_dbproxy.mysql.greeting import Greeting, LoginRequest
from ambassador_dbproxy.mysql.passwords import CLEAR, NATIVE, SHA2
from ambassador_dbproxy.mysql.wire import encode
from tests.ambassador_dbproxy.waiting import WAIT_S

Make = Callable[..., Any]
PASSWORD = "a password longer than twenty bytes, stäple"
NONCE, OTHER = bytes(range(1, 21)), bytes(range(101, 121))
OFFERED = (
    can.MYSQL | can.PROTOCOL_41 | can.SECURE_CONNECTION | can.PLUGIN_AUTH | can.PLUGIN_AUTH_LENENC
    | can.CONNECT_WITH_DB | can.CONNECT_ATTRS | can.COMPRESS | can.DEPRECATE_EOF | 0x2000
)  # fmt: skip
OK = b"\0\0\0\2\0\0\0"
DENIED = b"\xff\x15\x04#28000Access denied for user 'app'@'localhost' (using password: YES)"


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))


def knows_sha2(proof: bytes, nonce: bytes) -> bool:
    stored = hashlib.sha256(hashlib.sha256(PASSWORD.encode()).digest()).digest()
    return hashlib.sha256(xor(proof, hashlib.sha256(stored + nonce).digest())).digest() == stored


class Peer:
    """One connection to the scripted server."""

    def __init__(self, sock: socket.socket, server: "MySQL8") -> None:
        self.sock = sock
        self.server = server
        self.sequence = 0
        self.secure = False

    def send(self, body: bytes) -> None:
        self.sock.sendall(encode(self.sequence, body))
        self.sequence += 1

    def receive(self) -> bytes:
        """One packet and not a byte more: behind a request for TLS the rest is not for us."""
        head = self._exactly(4)
        self.sequence = head[3] + 1
        return self._exactly(int.from_bytes(head[:3], "little"))

    def _exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            if not (data := self.sock.recv(count - len(received))):
                raise EOFError
            received += data
        return received

    def serve(self) -> None:
        capabilities = OFFERED | (can.SSL if self.server.context else 0)
        self.send(Greeting(b"8.0.36", 4711, NONCE, capabilities, 255, 2, self.server.plugin).encode())
        body = self.receive()
        if self.server.context and int.from_bytes(body[:4], "little") & can.SSL:
            self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
            self.secure = True
            body = self.receive()
        request = LoginRequest.read((int.from_bytes(body[:4], "little") & ~can.SSL).to_bytes(4, "little") + body[4:])
        self.server.requests.append(request)
        if not self.server.script(self, request):
            self.send(DENIED)
            return
        self.send(OK)
        while True:
            self.receive()
            self.send(OK)


class MySQL8:
    """Accepts until it is closed. `script` decides on a login: true lets in."""

    def __init__(self, script: Callable[[Peer, LoginRequest], bool], plugin: bytes, context: Any = None) -> None:
        self.script = script
        self.plugin = plugin
        self.context = context
        self.requests: list[LoginRequest] = []
        self.failures: list[BaseException] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.threads: list[threading.Thread] = [threading.Thread(target=self._accept)]
        self.peers: list[Peer] = []
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            self.peers.append(Peer(sock, self))
            self.threads.append(threading.Thread(target=self._serve, args=(self.peers[-1],)))
            self.threads[-1].start()

    def _serve(self, peer: Peer) -> None:
        try:
            peer.serve()
        except (EOFError, OSError):
            pass
        except BaseException as error:
            self.failures.append(error)
        finally:
            peer.sock.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.threads[0].join(WAIT_S)
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(WAIT_S)
        assert self.failures == []


@pytest.fixture
def scripted() -> Iterator[Make]:
    """`scripted(script, plugin, context)`: a server; closed at the end."""
    made: list[MySQL8] = []

    def make(script: Callable[[Peer, LoginRequest], bool], plugin: bytes = SHA2, context: Any = None) -> MySQL8:
        made.append(MySQL8(script, plugin, context))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def lead_to(ambassador: Make, mysql_settings: Make, tmp_path: Path) -> Make:
    """`lead_to(server, **target)`: an ambassador in front of it."""
    (tmp_path / "secret").write_text(PASSWORD)

    def make(server: MySQL8, **changes: Any) -> Any:
        target = {"user": "app", "password_file": str(tmp_path / "secret"), "database": "app_test", **changes}
        return ambassador(mysql_settings(dev={"hosts": [f"localhost:{server.port}"], **target})).ready()

    return make


def pings(through: Any, **options: Any) -> int:
    """The thread id of a session in which a command is answered."""
    options = {"user": "whoever", "password": "whatever", **options}
    with pymysql.connect(host="127.0.0.1", port=through.port, autocommit=None, **options) as connection:
        connection.ping(reconnect=False)
        return int(connection.thread_id())


def cached(peer: Peer, request: LoginRequest) -> bool:
    assert request.plugin == SHA2
    if not knows_sha2(request.auth, NONCE):
        return False
    peer.send(b"\1\3")
    return True


def in_full_under_tls(peer: Peer, request: LoginRequest) -> bool:
    assert peer.secure
    peer.send(b"\1\4")
    return peer.receive() == PASSWORD.encode() + b"\0"


def switched(peer: Peer, request: LoginRequest) -> bool:
    peer.send(b"\xfe" + SHA2 + b"\0" + OTHER + b"\0")
    if not knows_sha2(peer.receive(), OTHER):
        return False
    peer.send(b"\1\3")
    return True


def in_clear(peer: Peer, request: LoginRequest) -> bool:
    peer.send(b"\xfe" + CLEAR + b"\0")
    return peer.receive() == PASSWORD.encode() + b"\0"


class WithKey:
    """Asks for the password encrypted with its key."""

    def __init__(self, directory: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not on this machine")
        self.private = directory / "private.pem"
        self.public = self._openssl("genrsa", "-out", str(self.private), "2048") or self._openssl(
            "rsa", "-in", str(self.private), "-pubout"
        )

    def __call__(self, peer: Peer, request: LoginRequest) -> bool:
        peer.send(b"\1\4")
        assert peer.receive() == b"\2"
        peer.send(b"\1" + self.public)
        sent = peer.receive()
        oaep = ("-pkeyopt", "rsa_padding_mode:oaep")
        veiled = self._openssl("pkeyutl", "-decrypt", "-inkey", str(self.private), *oaep, stdin=sent)
        return xor(veiled, NONCE * 4) == PASSWORD.encode() + b"\0"

    @staticmethod
    def _openssl(*arguments: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True).stdout


@pytest.fixture
def context(certificates: Any, tmp_path: Path) -> Any:
    """A server's TLS."""
    chain, key = certificates.Authority(tmp_path).issue("server", "localhost")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(chain, key)
    return made


@pytest.mark.parametrize(("script", "plugin"), [(cached, SHA2), (switched, NATIVE), (switched, b"sha256_password")])
def test_from_the_cache_and_after_a_switch(scripted: Make, lead_to: Make, script: Any, plugin: bytes) -> None:
    server = scripted(script, plugin)
    through = lead_to(server)
    assert pings(through) == 4711
    assert {each.user for each in server.requests} == {b"app"}
    sent = next(each for each in server.requests if b"_client_name" in (each.attributes or b""))
    assert sent.database == b"app_test"
    assert not sent.capabilities & (can.COMPRESS | can.SSL)


def test_in_full_with_the_servers_key(scripted: Make, lead_to: Make, tmp_path: Path) -> None:
    assert pings(lead_to(scripted(WithKey(tmp_path)))) == 4711


@pytest.mark.parametrize("script", [in_full_under_tls, in_clear])
def test_in_full_under_tls(scripted: Make, lead_to: Make, context: Any, script: Any) -> None:
    assert pings(lead_to(scripted(script, context=context), tls={"mode": "require"})) == 4711


def test_never_in_clear_without_tls(scripted: Make, lead_to: Make) -> None:
    through = lead_to(scripted(in_clear))
    with pytest.raises(pymysql.OperationalError, match="sent under TLS only") as caught:
        pings(through)
    assert caught.value.args[0] == 1045
    assert through.event("connection_refused", kind="login")
    assert PASSWORD not in through.raw


def test_a_method_that_is_not_wanted(scripted: Make, lead_to: Make) -> None:
    through = lead_to(scripted(lambda *_: True, NATIVE), require_auth=["caching_sha2_password"])
    with pytest.raises(pymysql.OperationalError, match="let us in without any of: caching_sha2_password"):
        pings(through)
    assert pings(lead_to(scripted(switched, NATIVE), require_auth=["caching_sha2_password"])) == 4711


def native(peer: Peer, request: LoginRequest) -> bool:
    peer.send(b"\xfe" + NATIVE + b"\0" + OTHER + b"\0")
    stored = hashlib.sha1(hashlib.sha1(PASSWORD.encode()).digest()).digest()
    return hashlib.sha1(xor(peer.receive(), hashlib.sha1(OTHER + stored).digest())).digest() == stored


def test_from_sha2_to_native(scripted: Make, lead_to: Make) -> None:
    through = lead_to(scripted(native))
    assert pings(through, password="") == 4711
    strict = lead_to(scripted(native), require_auth=["caching_sha2_password"])
    with pytest.raises(pymysql.OperationalError, match="require_auth allows only caching_sha2_password"):
        pings(strict)


@pytest.mark.parametrize("said", [b"", b"\x0a", b"\x0a8.0\0", b"\x09old", b"SSH-2.0-OpenSSH\r\n"])
def test_a_server_that_speaks_something_else(scripted: Make, lead_to: Make, said: bytes) -> None:
    class Stranger(MySQL8):
        def _serve(self, peer: Peer) -> None:
            with peer.sock, contextlib.suppress(OSError):
                peer.sock.sendall(encode(0, said) if said[:1] != b"S" else said)
                peer.sock.recv(1000)

    server = Stranger(cached, SHA2)
    try:
        through = lead_to(server)
        with pytest.raises(pymysql.OperationalError, match="does not speak MySQL as expected") as caught:
            pings(through)
        assert caught.value.args[0] == 1045
    finally:
        server.close()
