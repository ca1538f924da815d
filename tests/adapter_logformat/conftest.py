"""Fixtures: adapters as real processes, one directory per test, killed when the test is over."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
WAIT_S = 20.0


class Adapter:
    """One adapter-logformat process: its events as they come, its output, its exit status."""

    def __init__(self, directory: Path, settings: dict[str, Any], **environ: str) -> None:
        config = directory / "logformat.yaml"
        config.write_text(yaml.safe_dump(settings))
        self.events: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            [sys.executable, "-m", "adapter_logformat", "--config", str(config)],
            cwd=ROOT,
            env={**os.environ, **environ},
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def event(self, name: str) -> dict[str, Any]:
        """Waits for the first event of that name."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self.events if event["event"] == name), None)

        with self._news:
            self._news.wait_for(lambda: found() or self._ended, WAIT_S)
            event = found()
        assert event, f"no {name} among {self.events}"
        return event

    def metrics(self) -> dict[str, float]:
        """The metrics page: series with labels → value."""
        with urllib.request.urlopen(f"http://{self.event('ready')['ops']}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(WAIT_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)


class Desk:
    """One test's directory: the app's logs, the output, the state, and the settings that name them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self.logs.mkdir()
        self.output = directory / "out" / "app.jsonl"
        self.settings: dict[str, Any] = {
            "inputs": [{"paths": [f"{self.logs}/*.log"]}],
            "output": {"to": f"file://{self.output}"},
            "state_dir": str(directory / "state"),
            "drain": {"quiet": "50ms"},
            "ops": {"listen": "127.0.0.1:0"},
        }
        self.started: list[Adapter] = []

    def start(self, **environ: str) -> Adapter:
        adapter = Adapter(self.directory, self.settings, **environ)
        self.started.append(adapter)
        return adapter

    def write(self, name: str, text: str) -> None:
        with (self.logs / name).open("a") as file:
            file.write(text)

    def raw(self) -> bytes:
        """The output, oldest file first."""
        numbered = sorted(self.output.parent.glob("app.jsonl.*"), key=lambda path: -int(path.suffix[1:]))
        return b"".join(path.read_bytes() for path in [*numbered, self.output] if path.exists())

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw().splitlines() if line.endswith(b"}")]

    def wait(self, told: Callable[[], object]) -> None:
        """Until it holds; a test never sleeps for a fixed time to decide."""
        deadline = time.monotonic() + WAIT_S
        while not told():
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.01)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    for adapter in made.started:
        if adapter.process.poll() is None:
            adapter.kill()
        assert adapter.process.stderr
        adapter.process.stderr.close()
