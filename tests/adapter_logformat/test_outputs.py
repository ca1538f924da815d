"""Outputs that are no file, in the real process: a peer that is away, slow, or comes back."""

import contextlib
import random
import socket
import threading
from typing import Any

from podmates.ports import free_port

ACCESS = '203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /{} HTTP/1.1" 200 12 "-" "curl/8"\n'


class Peer:
    """A log server that takes lines over one connection after the other."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as file:
            try:
                for line in file:
                    if line.endswith(b"\n"):
                        self.lines.append(line)
            except OSError:
                return

    def hang_up(self) -> None:
        """Every connection ends at once."""
        while self._connections:
            with contextlib.suppress(OSError):
                self._connections.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.server.close()
        self.hang_up()

    def paths(self) -> set[int]:
        return {int(line.partition(b'"url.path":"/')[2].partition(b'"')[0]) for line in self.lines}


def test_tcp_output_repeats_rather_than_loses_when_the_connection_breaks(desk: Any) -> None:
    peer = Peer()
    desk.settings["output"] = {"to": f"tcp://127.0.0.1:{peer.port}"}
    adapter = desk.start()
    adapter.event("ready")
    for number in range(20):
        desk.write("a.log", "".join(ACCESS.format(number * 50 + at) for at in range(50)))
        desk.wait(lambda number=number: len(peer.paths()) == number * 50 + 50)
        if number % 5 == 4:
            peer.hang_up()
    desk.wait(lambda: peer.paths() == set(range(1000)))
    assert adapter.stop() == 0
    peer.close()


def test_a_peer_that_is_away_stops_reading_and_is_told_once(desk: Any) -> None:
    port = free_port(random.Random())
    desk.settings["output"] = {"to": f"tcp://127.0.0.1:{port}"}
    adapter = desk.start()
    adapter.event("ready")
    desk.write("a.log", ACCESS.format(1))
    adapter.event("output_blocked")
    assert adapter.metrics()["logformat_output_blocked"] == 1
    with socket.create_server(("127.0.0.1", port)) as server:
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as file:
            assert b'"/1"' in file.readline()
            adapter.event("output_writable_again")
            assert adapter.stop() == 0
    assert [event["event"] for event in adapter.events].count("output_blocked") == 1


def test_a_kill_repeats_at_most_what_was_not_committed(desk: Any) -> None:
    peer = Peer()
    desk.settings["output"] = {"to": f"tcp://127.0.0.1:{peer.port}"}
    adapter = desk.start()
    adapter.event("ready")
    desk.write("a.log", "".join(ACCESS.format(at) for at in range(500)))
    desk.wait(lambda: len(peer.lines) == 500)
    adapter.kill()
    desk.write("a.log", ACCESS.format(500))
    second = desk.start()
    second.event("ready")
    desk.wait(lambda: peer.paths() == set(range(501)))
    assert second.stop() == 0
    assert len(peer.lines) <= 1001
    peer.close()
