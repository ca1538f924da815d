"""The mate that docs/own-mate.md builds, taken from the page and run as a process beside a real server."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.mate_process import ROOT, WAIT_S, MateProcess

CODE = re.compile(r"```python\n# (sidecar_fetcher/\S+\.py)\n(.*?)```", re.DOTALL)


class Server(ThreadingHTTPServer):
    """Serves `body` with `status`; what was asked of it is not told."""

    body, status = b"one", 200


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        status, body = self.server.status, self.server.body  # once: the test may change it meanwhile
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Answer) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with the package as the page has it."""
    modules = CODE.findall((ROOT / "docs" / "own-mate.md").read_text())
    assert len(modules) == 3
    for name, code in modules:
        path = tmp_path / "packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    return tmp_path / "packages"


@pytest.fixture
def settings(tmp_path: Path, server: Server) -> dict[str, Any]:
    return {
        "url": f"http://127.0.0.1:{server.server_port}/flags",
        "file": str(tmp_path / "flags"),
        "every": "20ms",
        "max_bytes": 4,
        "ops": {"listen": "127.0.0.1:0"},
    }


@pytest.fixture
def mate(tmp_path: Path, packages: Path, settings: dict[str, Any]) -> Iterator[MateProcess]:
    made = MateProcess("sidecar_fetcher", tmp_path / "fetcher.yaml", settings, {"PYTHONPATH": str(packages)})
    yield made
    made.kill()


def test_the_file_follows_the_url_through_an_outage(mate: MateProcess, server: Server, tmp_path: Path) -> None:
    mate.event("file_changed", bytes=3)
    assert (tmp_path / "flags").read_bytes() == b"one"
    server.status = 503
    assert "503" in mate.event("fetch_failed")["reason"]
    server.body, server.status = b"four", 200
    mate.event("file_changed", bytes=4)
    assert (tmp_path / "flags").read_bytes() == b"four"
    server.body = b"longer"
    assert mate.wait_for(lambda event: "max_bytes (4)" in event.get("reason", ""))["event"] == "fetch_failed"
    assert mate.metrics()["fetcher_changes_total"] == 2
    assert mate.stop() == 0
    assert (tmp_path / "flags").read_bytes() == b"four"


def test_changed_settings_are_taken_over_or_refused(
    mate: MateProcess, settings: dict[str, Any], tmp_path: Path
) -> None:
    mate.event("ready")
    mate.write(settings | {"every": "10ms"})
    mate.event("reloaded")
    mate.write(settings | {"file": str(tmp_path / "other")})
    assert "restart the pod" in mate.event("reload_refused")["mistakes"][0]
    assert mate.stop() == 0


def test_an_operators_mistakes_end_it_with_64(packages: Path, settings: dict[str, Any], tmp_path: Path) -> None:
    mate = MateProcess(
        "sidecar_fetcher",
        tmp_path / "fetcher.yaml",
        settings | {"file": "/nowhere/flags"},
        {"PYTHONPATH": str(packages)},
    )
    assert mate.event("cannot_start", setting="file")["reason"].startswith("cannot write in /nowhere")
    assert mate.exit_status() == 64
    mate.kill()
    checked = subprocess.run(
        [sys.executable, "-m", "sidecar_fetcher", "--check"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(packages), "FETCHER__URL": "ftp://x", "FETCHER__EVER": "1s"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert checked.returncode == 64
    assert {line.split(": ")[1] for line in checked.stderr.splitlines()} >= {"url", "file", "ever"}
