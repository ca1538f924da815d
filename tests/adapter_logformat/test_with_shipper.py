"""The adapter is killed again and again while the real shipper follows its output: every record arrives, none twice."""

import json
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.mate_process import MateProcess

ACCESS = '203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /{} HTTP/1.1" 200 12 "-" "curl/8"\n'
JAVA = "2026-11-20 08:51:00.123 ERROR 1 --- [main] c.e.Demo : /{}\njava.io.IOException: no\n\tat c.e.D.f(D.java:1)\n"


class Received(BaseHTTPRequestHandler):
    lines: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.lines.extend(body.splitlines())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def received() -> Iterator[tuple[str, list[bytes]]]:
    lines: list[bytes] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Received,), {"lines": lines}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/in", lines
    server.shutdown()
    server.server_close()
    thread.join()


def start_shipper(desk: Any, url: str) -> MateProcess:
    config = desk.directory / "logshipper.yaml"
    settings = {
        "files": {"include": [f"{desk.output.parent}/*.jsonl*"]},
        "sink": {"url": url, "encoding": "raw", "batch": {"max_age": "20ms"}},
        "state_dir": str(desk.directory / "shipper"),
        "ops": {"listen": "127.0.0.1:0"},
        "drain": {"quiet": "200ms"},
    }
    shipper = MateProcess("sidecar_logshipper", config, settings, {})
    desk.started.append(shipper)
    return shipper


@pytest.mark.parametrize("seed", range(2))
def test_the_shipper_sees_each_record_once_though_the_adapter_is_killed(
    desk: Any, received: tuple[str, list[bytes]], seed: int
) -> None:
    url, lines = received
    chance = random.Random(seed)
    desk.output.parent.mkdir()
    desk.settings["multiline"] = {"idle": "100ms"}
    desk.settings["output"] |= {"max_bytes": "1MiB", "keep": 100}
    shipper = start_shipper(desk, url)
    written = 0
    for _ in range(8):
        adapter = desk.start()
        adapter.event("ready")
        until = time.monotonic() + chance.uniform(0.02, 0.6)
        while time.monotonic() < until:
            count = chance.randint(1, 300)
            desk.write(f"{chance.choice('ab')}.log", "".join(ACCESS.format(written + at) for at in range(count)))
            written += count
            desk.write("java.log", JAVA.format(written) + JAVA.format(written + 1))
            written += 2
            time.sleep(chance.uniform(0, 0.02))
        adapter.kill()
    adapter = desk.start()
    adapter.event("ready")
    assert adapter.stop() == 0
    desk.wait(lambda: len(lines) >= written)
    assert shipper.stop() == 0
    records = [json.loads(line) for line in lines]
    paths = [record["attributes"].get("url.path", record["body"]) for record in records]
    assert sorted(int(path.removeprefix("/")) for path in paths) == list(range(written))
