"""Syslog: the messages as RFC 5424 has them, and the connection as it can break."""

# ruff: noqa: ASYNC240 (the files are local and small)

import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from chassis.settings import Address, SettingsError, Size, decode
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.settings import Settings
from sidecar_logshipper.sinks.seam import Unreachable
from sidecar_logshipper.sinks.settings import SyslogSink
from sidecar_logshipper.sinks.syslog import ResendWindow, SyslogConnection
from sidecar_logshipper.sinks.syslog_format import SyslogFormat

from ..conftest import PATIENCE_S, Start
from .conftest import BARE, GENERATION, ORIGIN, batch, part

SENDER = '- [podmates@32473 app="web" k8s.pod.name="web-1" path="/log/app.log"]'
MESSAGE = re.compile(
    r"<(?P<priority>\d{1,3})>1 (?P<time>-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) (?P<host>[!-~]{1,255}) "
    r'(?P<app>[!-~]{1,48}) - - (?P<data>\[[^ \]]+(?: [^ ="\]]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\]) (?P<text>.*)',
    re.DOTALL,
)


def sink(**changes: Any) -> SyslogSink:
    return SyslogSink(**{"address": Address("logs:6514"), **changes})


def unframed(stream: bytes) -> tuple[list[bytes], bytes]:
    """Octet counting: the whole messages, and the rest."""
    messages = []
    while (match := re.match(rb"([1-9][0-9]*) ", stream)) and len(stream) >= match.end() + int(match[1]):
        messages.append(stream[match.end() : match.end() + int(match[1])])
        stream = stream[match.end() + int(match[1]) :]
    return messages, stream


def messages(given: SyslogSink, *parts: Any, origin: Any = ORIGIN) -> list[str]:
    written = b"".join(SyslogFormat(given, origin).messages(parts[0] if parts else part(b"a\n")))
    framed, rest = unframed(written)
    assert rest == b""
    shown = [message.decode() for message in framed]
    assert all(MESSAGE.fullmatch(message) for message in shown), shown
    return shown


def test_messages_with_time_sender_and_members() -> None:
    line = '{"level":"error","timestamp":"2026-01-02T03:04:05.123456789Z"}'
    lines = f"{line}\n\u00e9 plain\n".encode()
    assert messages(sink(), part(lines)) == [
        f"<11>1 2026-01-02T03:04:05.123456Z web-1 web - {SENDER} {line}",
        f"<14>1 2023-11-14T22:13:20.000000Z web-1 web - {SENDER} é plain",
    ]


@pytest.mark.parametrize(
    ("changes", "level", "priority"),
    [
        ({}, "info", 14),
        ({}, "WARNING", 12),
        ({}, "fatal", 10),
        ({}, "loud", 14),
        ({"facility": "local7"}, "debug", 191),
        ({"severity": "notice"}, "loud", 13),
    ],
)
def test_the_priority_is_facility_and_level(changes: dict[str, Any], level: str, priority: int) -> None:
    (message,) = messages(sink(**changes), part(b'{"level":"%b"}\n' % level.encode()))
    assert message.startswith(f"<{priority}>1 ")


def test_what_is_not_allowed_in_a_header_or_parameter_is_replaced_or_escaped() -> None:
    origin = Origin({"app": "my app", 'a"]= b': 'say "\\]"'}, {"k8s.pod.name": "höst"})
    (message,) = messages(sink(), part(b"a\n"), origin=origin)
    assert " h_st my_app - - [" in message
    assert 'a____b="say \\"\\\\\\]\\""' in message
    (bare,) = messages(sink(hostname="h", app_name="p"), part(b"a\n"), origin=BARE)
    assert bare == '<14>1 2023-11-14T22:13:20.000000Z h p - - [podmates@32473 path="/log/app.log"] a'


def test_the_id_and_the_mark_of_a_piece() -> None:
    (message,) = messages(sink(record_id_field="id"), part(b"half", start=4, piece=True))
    assert f' partial="true" id="pod-uid-{GENERATION}-4"] half' in message


def test_the_window_keeps_the_last_messages() -> None:
    window = ResendWindow(10)
    window.sent([b"1234", b"5678"])
    assert window.messages() == [b"1234", b"5678"]
    window.sent([b"90a"])
    assert window.messages() == [b"5678", b"90a"]
    window.sent([b"x" * 11])
    assert window.messages() == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"address": "unix:///dev/log"}, "sink.address"),
        ({"address": "logs:0"}, "sink.address"),
        ({"structured_data_id": "a b"}, "sink.structured_data_id"),
        ({"app_name": "x" * 49}, "sink.app_name"),
        ({"hostname": "a b"}, "sink.hostname"),
        ({"timeout": "0s"}, "sink.timeout"),
        ({"facility": "local8"}, "sink.facility"),
    ],
)
def test_one_mistake(changes: dict[str, Any], path: str) -> None:
    given = {"type": "syslog", "address": "logs:6514"} | changes
    with pytest.raises(SettingsError) as caught:
        decode(Settings, {"files": {"include": ["/log/*"]}, "sink": given})
    assert [mistake.path for mistake in caught.value.mistakes] == [path]


class SyslogServer:
    """Takes one connection after the other, and reads until it is told to close."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self.address = Address.of(*self._listener.getsockname())
        self._connection: socket.socket | None = None

    def accept(self) -> None:
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(PATIENCE_S)

    def read(self, count: int) -> list[bytes]:
        assert self._connection is not None
        stream = b""
        while len(unframed(stream)[0]) < count:
            piece = self._connection.recv(65536)
            assert piece, f"the connection ended after {stream!r}"
            stream += piece
        found, rest = unframed(stream)
        assert rest == b""
        return found

    def hang_up(self) -> None:
        assert self._connection is not None
        self._connection.close()

    def close(self) -> None:
        self._listener.close()
        if self._connection is not None:
            self._connection.close()


@pytest.fixture
def server() -> Any:
    server = SyslogServer()
    yield server
    server.close()


def texts(found: list[bytes]) -> list[str]:
    return [message.decode().rpartition("] ")[2] for message in found]


def test_after_a_lost_connection_the_window_comes_first(server: SyslogServer) -> None:
    connection = SyslogConnection(sink(address=server.address, resend_window=Size(250)), ORIGIN)
    connection.send(batch(b"a\nb\n"))
    server.accept()
    assert texts(server.read(2)) == ["a", "b"]
    connection.send(batch(b"c\n"))
    assert texts(server.read(1)) == ["c"]
    server.hang_up()
    connection.send(batch(b"d\n"))  # it has seen the end of the connection, and opens another
    server.accept()
    assert texts(server.read(3)) == ["b", "c", "d"]
    connection.close()


def test_one_that_cannot_be_reached_is_named(server: SyslogServer) -> None:
    server.close()
    with pytest.raises(Unreachable) as caught:
        SyslogConnection(sink(address=server.address), ORIGIN).send(batch(b"a\n"))
    assert caught.value.reason == "connection_refused"
    assert str(server.address) in caught.value.detail


def test_a_server_that_reads_nothing_is_left_at_the_end(server: SyslogServer) -> None:
    connection = SyslogConnection(sink(address=server.address), ORIGIN)
    failures: list[Unreachable] = []

    def send() -> None:
        try:
            for _ in range(1000):
                connection.send(batch(b"x" * 100_000 + b"\n"))
        except Unreachable as error:
            failures.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    server.accept()
    connection.abort()
    thread.join(PATIENCE_S)
    assert [failure.reason for failure in failures] == ["connection_lost"]
    connection.close()


async def test_the_real_process(ship: Start, server: SyslogServer, log: Path) -> None:
    log.write_bytes(b"a\nb\n")
    shipper = await ship(sink={"type": "syslog", "address": str(server.address)}, labels={"app": "web"})
    server.accept()
    assert texts(server.read(2)) == ["a", "b"]
    assert shipper.of("ready")[0]["sink"] == f"syslog over tcp to {server.address}"
    server.hang_up()
    with log.open("ab") as file:
        file.write(b"c\n")
    server.accept()
    assert texts(server.read(3)) == ["a", "b", "c"]
    assert await shipper.stop() == 0
