"""The ambassador as a real process: its settings, its events, its exit status."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.mate_process import ROOT, MateProcess


class Ambassador(MateProcess):
    """Started by the constructor; `ready` waits until it listens."""

    def __init__(self, settings: dict[str, Any], directory: Path, **environ: str) -> None:
        self.settings = {"ops": {"listen": "127.0.0.1:0"}, **settings}
        super().__init__("ambassador_dbproxy", directory / "dbproxy.yaml", self.settings, environ)

    def reload(self, **changes: Any) -> None:
        """Write changed settings, ask for them, and wait until they are in force or refused."""
        before = len(self.events)
        self.settings.update(changes)
        self.write(self.settings)
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

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "ambassador_dbproxy", *arguments, "--ops", self.ops]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.command("status", "--json").stdout)
        return answer
