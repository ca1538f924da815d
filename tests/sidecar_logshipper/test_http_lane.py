"""The transport against a real socket whose other end says exactly what the test wants."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from sidecar_logshipper.sinks.http import HttpLane
from sidecar_logshipper.sinks.seam import Answer, Unreachable
from sidecar_logshipper.sinks.settings import HttpSink

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
PATIENCE_S = 60


class Peer:
    """Each connection is served by the next of `acts`; what it received is kept."""

    def __init__(self, *acts: Callable[[socket.socket, list[bytes]], None]) -> None:
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/in"
        self._acts = acts
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for act in self._acts:
            connection, _ = self._listener.accept()
            connection.settimeout(PATIENCE_S)
            with connection, suppress(ConnectionResetError):
                act(connection, self.received)

    def end(self) -> None:
        self._thread.join(PATIENCE_S)
        self._listener.close()


def request(connection: socket.socket) -> bytes:
    """One whole request, empty at the end of the connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return received
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answers(*replies: bytes) -> Callable[[socket.socket, list[bytes]], None]:
    def act(connection: socket.socket, received: list[bytes]) -> None:
        for reply in replies:
            received.append(request(connection))
            connection.sendall(reply)

    return act


@contextmanager
def lane(peer: Peer, **settings: object) -> Iterator[HttpLane]:
    opened = HttpLane(HttpSink(url=peer.url, **settings), "/in?x=1", {"Content-Type": "text/plain"}, lambda: {"A": "b"})
    yield opened
    opened.close()
    peer.end()


def test_a_request_as_it_goes_over_the_wire() -> None:
    peer = Peer(answers(OK))
    with lane(peer, compression="gzip", headers={"X-Team": "shop"}) as opened:
        assert opened.send([b"one\n", b"", b"two\n"]) == Answer(200, None, b"")
    host = peer.url.split("/")[2]
    assert peer.received == [
        f"POST /in?x=1 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: podmates-logshipper\r\nContent-Type: text/plain\r\n"
        "Content-Encoding: gzip\r\nX-Team: shop\r\nA: b\r\nContent-Length: 8\r\n\r\none\ntwo\n".encode()
    ]


def test_a_large_body_in_many_pieces_arrives_in_order() -> None:
    peer = Peer(answers(OK))
    pieces = [bytes((number % 256,)) * (number % 7 * 1000) for number in range(2000)]
    with lane(peer) as opened:
        opened.send(pieces)
    assert peer.received[0].partition(b"\r\n\r\n")[2] == b"".join(pieces)


def test_a_connection_is_used_again() -> None:
    peer = Peer(answers(OK, OK, OK))
    with lane(peer) as opened:
        assert [opened.send([b"x"]).status for _ in range(3)] == [200, 200, 200]


def test_a_connection_that_the_server_closed_is_replaced_silently() -> None:
    peer = Peer(answers(OK), answers(OK))
    with lane(peer) as opened:
        assert opened.send([b"first"]).status == 200
        assert opened.send([b"second"]).status == 200
    assert [each[-5:] for each in peer.received] == [b"first", b"econd"]


def test_a_connection_that_the_server_closes_under_a_request_is_replaced_once() -> None:
    def takes_and_closes(connection: socket.socket, received: list[bytes]) -> None:
        answers(OK)(connection, received)
        request(connection)

    peer = Peer(takes_and_closes, answers(OK))
    with lane(peer) as opened:
        assert opened.send([b"1"]).status == 200
        assert opened.send([b"2"]).status == 200


def test_what_the_server_said_unasked_is_not_taken_for_an_answer() -> None:
    said = threading.Event()

    def says_more(connection: socket.socket, received: list[bytes]) -> None:
        answers(OK)(connection, received)
        connection.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        said.set()
        connection.recv(1)

    peer = Peer(says_more, answers(OK))
    with lane(peer) as opened:
        assert opened.send([b"1"]).status == 200
        assert said.wait(PATIENCE_S)
        assert opened.send([b"2"]).status == 200


def test_a_refusal_before_the_whole_body_was_sent_is_heard() -> None:
    def refuses(connection: socket.socket, received: list[bytes]) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        while connection.recv(65536):
            pass

    peer = Peer(refuses)
    with lane(peer) as opened:
        assert opened.send([b"x" * 10_000_000]).status == 413


@pytest.mark.parametrize(("status", "taken"), [(200, False), (204, False), (302, False), (400, True), (503, True)])
def test_a_body_that_was_not_sent_whole_is_never_acknowledged(status: int, taken: bool) -> None:
    """Closed with the body unread, the connection breaks while sending; what was said before can still be read."""

    def answers_early(connection: socket.socket, received: list[bytes]) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 %d Early\r\nContent-Length: 0\r\n\r\n" % status)

    peer = Peer(answers_early, answers(OK))
    with lane(peer) as opened:
        if taken:
            assert opened.send([b"x" * 30_000_000]).status == status
        else:
            with pytest.raises(Unreachable) as raised:
                opened.send([b"x" * 30_000_000])
            assert raised.value.reason == "connection_lost"
        assert opened.send([b"x"]).status == 200  # on another connection


@pytest.mark.parametrize(
    ("reply", "reason"),
    [(b"", "connection_lost"), (b"HTTP/1.1 200 OK\r\n", "connection_lost"), (b"220 smtp ready\r\n\r\n", "bad_answer")],
)
def test_no_answer_is_unreachable(reply: bytes, reason: str) -> None:
    peer = Peer(answers(reply))
    with lane(peer) as opened, pytest.raises(Unreachable) as raised:
        opened.send([b"x"])
    assert raised.value.reason == reason


def test_a_silent_server_is_waited_for_no_longer_than_the_timeout() -> None:
    done = threading.Event()
    peer = Peer(lambda connection, received: done.wait(PATIENCE_S) and None)
    with lane(peer, timeout=0.05) as opened:
        with pytest.raises(Unreachable) as raised:
            opened.send([b"x"])
        done.set()
    assert raised.value.reason == "timeout"


def test_abort_wakes_the_thread_that_waits() -> None:
    arrived, done = threading.Event(), threading.Event()

    def keeps_silent(connection: socket.socket, received: list[bytes]) -> None:
        request(connection)
        arrived.set()
        done.wait(PATIENCE_S)

    peer = Peer(keeps_silent)
    with lane(peer) as opened:
        waker = threading.Thread(target=lambda: arrived.wait(PATIENCE_S) and opened.abort())
        waker.start()
        with pytest.raises(Unreachable):
            opened.send([b"x"])
        waker.join()
        with pytest.raises(Unreachable):
            opened.send([b"x"])
        done.set()
