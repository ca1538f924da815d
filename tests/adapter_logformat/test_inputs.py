"""Inputs that are no files, in the real process: UDP, TCP, unix sockets, a FIFO, standard input."""

import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mate_process import WAIT_S

ROOT = Path(__file__).parent.parent.parent
LINE = "<34>Oct 11 22:14:15 web su[231]: {}\n"


def bodies(desk: Any) -> list[str]:
    return [record["body"] for record in desk.records()]


def started(desk: Any, *listens: str) -> tuple[Any, dict[str, Any]]:
    desk.settings["inputs"] = [{"listen": listen} for listen in listens]
    adapter = desk.start()
    ready = adapter.event("ready")
    return adapter, ready


def address(ready: dict[str, Any], listen: str) -> tuple[str, int]:
    host, _, port = ready["listeners"][listen].partition("://")[2].rpartition(":")
    return host.strip("[]"), int(port)


@pytest.mark.parametrize("listen", ["udp://:0", "udp://127.0.0.1:0", "udp://[::1]:0"])
def test_udp_syslog_and_plain_lines(desk: Any, listen: str) -> None:
    adapter, ready = started(desk, listen)
    where = address(ready, listen)
    assert where[0] in ("127.0.0.1", "::1")
    with socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(LINE.format("one").encode(), where)
        sender.sendto(b"plain\nlines", where)
        sender.sendto((LINE.format("two") + "with a second line").encode(), where)
        desk.wait(lambda: len(desk.records()) >= 4)
    assert adapter.metrics()[f'logformat_received_datagrams_total{{listen="{listen}"}}'] == 3
    assert adapter.stop() == 0
    assert bodies(desk) == ["one", "plain", "lines", "two\nwith a second line"]


def test_what_udp_loses_is_counted(desk: Any) -> None:
    volume = desk.directory / "blocked"
    listen = "udp://127.0.0.1:0"
    desk.settings["output"] = {"to": f"unix://{volume}"}
    adapter, ready = started(desk, listen)
    where = address(ready, listen)
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:

        def dropped() -> float:
            nonlocal sent
            for _ in range(200):
                sender.sendto(b"x" * 8000, where)
                sent += 1
            return adapter.metrics()[f'logformat_dropped_datagrams_total{{listen="{listen}"}}']

        desk.wait(dropped)
    adapter.event("output_blocked")  # the kernel may have dropped some before
    numbers = adapter.metrics()
    assert numbers["logformat_output_blocked"] == 1
    lost = numbers[f'logformat_dropped_datagrams_total{{listen="{listen}"}}']
    # Nothing else is lost: once somebody takes the records, all that was not dropped arrives.
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(volume))
        server.listen()
        peer, _ = server.accept()
        with peer, peer.makefile("rb") as file:
            for _ in range(int(sent - lost)):
                assert b"xxxx" in file.readline()
            assert adapter.stop() == 0


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_streams_in_lines_and_in_counted_messages(desk: Any, kind: str) -> None:
    listen = "tcp://127.0.0.1:0" if kind == "tcp" else f"unix://{desk.directory}/log.sock"
    adapter, ready = started(desk, listen)

    def connected() -> socket.socket:
        if kind == "tcp":
            return socket.create_connection(address(ready, listen))
        made = socket.socket(socket.AF_UNIX)
        made.connect(f"{desk.directory}/log.sock")
        return made

    with connected() as lines:
        lines.sendall(LINE.format("one").encode() + b"<34>Oct 11 22:14:15 web su[231]: half")
        desk.wait(lambda: bodies(desk) == ["one"])
        with connected() as counted:
            for text in ("two", "three\nwith a second line"):
                message = LINE.format(text).rstrip("\n").encode()
                counted.sendall(b"%d %b" % (len(message), message))
        desk.wait(lambda: len(desk.records()) == 3)
    desk.wait(lambda: len(desk.records()) == 4)
    assert bodies(desk) == ["one", "two", "three\nwith a second line", "half"]
    assert adapter.metrics()[f'logformat_connections_total{{listen="{listen}"}}'] == 2
    assert adapter.stop() == 0


def test_a_unix_datagram_socket_like_dev_log(desk: Any) -> None:
    path = f"{desk.directory}/devlog"
    left_behind = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    left_behind.bind(path)
    left_behind.close()
    adapter, _ = started(desk, f"unixgram://{path}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(path)
        for number in range(2000):  # more than the kernel queues: the sender waits, nothing is lost
            sender.send(LINE.format(number).encode())
    desk.wait(lambda: len(desk.records()) == 2000)
    assert adapter.stop() == 0
    assert bodies(desk) == [str(number) for number in range(2000)]
    assert not Path(path).exists()


def test_a_fifo_on_the_shared_volume_outlives_its_writers(desk: Any) -> None:
    path = desk.directory / "volume" / "app.fifo"
    adapter, _ = started(desk, f"fifo://{path}")
    assert stat.S_ISFIFO(path.stat().st_mode)
    for text in ("one\n", "two\n"):
        with path.open("w") as writer:
            writer.write(text)
    desk.wait(lambda: len(desk.records()) == 2)
    assert adapter.stop() == 0
    assert bodies(desk) == ["one", "two"]


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_standard_input_is_read_to_its_end_and_then_it_is_over(desk: Any, kind: str) -> None:
    desk.settings["inputs"] = [{"listen": "stdin:"}]
    desk.settings["output"] = {"to": "stdout:"}
    config = desk.directory / "logformat.yaml"
    config.write_text(yaml.safe_dump(desk.settings))
    lines = "".join(LINE.format(number) for number in range(5000)).encode()
    command = [sys.executable, "-m", "adapter_logformat", "--config", str(config)]
    if kind == "pipe":
        done = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, timeout=WAIT_S)
    else:
        (desk.directory / "lines").write_bytes(lines)
        with (desk.directory / "lines").open("rb") as file:
            done = subprocess.run(command, cwd=ROOT, stdin=file, capture_output=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"\n") == 5000


def test_a_slow_output_makes_a_stream_wait_and_loses_nothing(desk: Any) -> None:
    listen = "tcp://127.0.0.1:0"
    sink = desk.directory / "sink"
    desk.settings["output"] = {"to": f"unix://{sink}"}
    adapter, ready = started(desk, listen)
    with socket.create_connection(address(ready, listen)) as sender:
        sender.setblocking(False)
        sent = 0
        line = b"x" * 999 + b"\n"
        # Until nothing is taken any more: everything that waits is bounded.
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < 1:
            try:
                sent += sender.send(line[sent % 1000 :])
                idle_since = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
        assert sent < 64 << 20
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(sink))
        server.listen()
        peer, _ = server.accept()
        with peer, peer.makefile("rb") as file:
            for _ in range(-(-sent // 1000)):
                assert b"x" in file.readline()
            assert adapter.stop() == 0


def test_a_port_in_use_ends_with_64(desk: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        desk.settings["inputs"] = [{"listen": f"tcp://127.0.0.1:{taken.getsockname()[1]}"}]
        adapter = desk.start()
        assert adapter.event("cannot_start")["setting"] == "inputs[0].listen"
        assert adapter.exit_status() == 64


def test_listening_to_the_world_is_told(desk: Any) -> None:
    adapter, ready = started(desk, "udp://0.0.0.0:0")
    assert adapter.event("listens_beyond_the_pod")["listen"] == ready["listeners"]["udp://0.0.0.0:0"]
    assert adapter.stop() == 0
