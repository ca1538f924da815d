"""A mate as a real process: started with settings, read by its events, stopped or killed, and its exit status."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
WAIT_S = 120.0  # an upper limit, reached only when something is wrong

Event = dict[str, Any]


class MateProcess:
    """Started by the constructor with `settings`, which it writes to `config`; warnings are errors in it."""

    def __init__(self, package: str, config: Path, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self.config = config
        self.write(settings)
        self.events: list[Event] = []
        self.raw = ""
        """Everything on standard error."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", package, "--config", str(config)],
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": "error", **environ},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def write(self, settings: Mapping[str, Any]) -> None:
        """Other settings, put in place at once as a whole."""
        new = self.config.with_suffix(".new")
        new.write_text(yaml.safe_dump(dict(settings)))
        new.replace(self.config)

    def event(self, name: str, **facts: Any) -> Event:
        """The first event of that name with these facts; waits for it."""
        return self.wait_for(lambda e: e["event"] == name and all(e.get(key) == facts[key] for key in facts))

    def wait_for(self, fits: Callable[[Event], object], since: int = 0) -> Event:
        """The first event that fits, from the one numbered `since` on; waits for it."""
        deadline = time.monotonic() + WAIT_S
        with self._news:
            while True:
                if found := next((event for event in self.events[since:] if fits(event)), None):
                    return found
                left = deadline - time.monotonic()
                assert left > 0, f"no such event among {self.events}"
                assert self._reader.is_alive(), f"ended with {self.process.wait(WAIT_S)}: {self.raw}"
                self._news.wait(min(left, 0.2))

    def metrics(self) -> dict[str, float]:
        """The metrics page: series with labels → value."""
        with urllib.request.urlopen(f"http://{self.event('ready')['ops']}/metrics", timeout=WAIT_S) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    def exit_status(self) -> int:
        """Waits for the end, and for the last words."""
        status = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return status

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.exit_status()

    def kill(self) -> None:
        """SIGKILL, if it still runs; nothing of it is left open."""
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
