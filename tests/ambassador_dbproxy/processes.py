"""The ambassador as a real process: its settings, its events, its exit status."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
WAIT_S = 20.0
MODULE = [sys.executable, "-m", "ambassador_dbproxy"]


class Ambassador:
    """Started by the constructor; `ready` waits until it listens."""

    def __init__(self, settings: dict[str, Any], directory: Path, **environ: str) -> None:
        self.config = directory / "dbproxy.yaml"
        self.settings = {"ops": {"listen": "127.0.0.1:0"}, **settings}
        self.write()
        self.events: list[dict[str, Any]] = []
        self.raw = ""
        self.process = subprocess.Popen(
            [*MODULE, "--config", str(self.config)],
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": "error", **environ},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def write(self) -> None:
        new = self.config.with_suffix(".new")
        new.write_text(yaml.safe_dump(self.settings))
        new.replace(self.config)

    def reload(self, **changes: Any) -> None:
        """Write changed settings, ask for them, and wait until they are in force or refused."""
        before = len(self.events)
        self.settings.update(changes)
        self.write()
        self.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda e: e["event"] in ("reloaded", "reload_refused"), since=before)

    def ready(self) -> "Ambassador":
        facts = self.event("ready")
        self.ops = facts["ops"]
        self.listeners: dict[str, str] = facts["listeners"]
        return self

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return int(next(iter(self.listeners.values())).rpartition(":")[2])

    def event(self, name: str, **facts: Any) -> dict[str, Any]:
        """The first event of that name with these facts; waits for it."""
        return self.wait_for(lambda e: e["event"] == name and all(e.get(k) == v for k, v in facts.items()))

    def wait_for(self, fits: Any, since: int = 0) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_S
        with self._news:
            while True:
                if found := next((e for e in self.events[since:] if fits(e)), None):
                    return found
                left = deadline - time.monotonic()
                ended = self.process.poll() is not None and not self._reader.is_alive()
                assert left > 0, f"no such event among {self.events}"
                assert not ended, f"ended with {self.process.returncode}: {self.raw}"
                self._news.wait(min(left, 0.2))

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*MODULE, *arguments, "--ops", self.ops], cwd=ROOT, capture_output=True, text=True, check=False
        )

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.command("status", "--json").stdout)
        return answer

    def exit_status(self) -> int:
        """Wait for the end by itself."""
        status = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return status

    def terminate(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.exit_status()

    def destroy(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.exit_status()
        if self.process.stderr:
            self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self._news:
                self.raw += line
                if line.startswith("{"):
                    self.events.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()
