"""The sample app's log files, and the ledger of what was written to them.

One event is one append. The ledger is written after the log: an event that is in it has been logged, and after an
orderly end the two agree exactly, so that the ledger is what the pod's records are held against.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

FILES = {"access": "access.log", "json": "app.log", "python": "worker.log", "java": "billing.log"}


class EventLog:
    """Appends events to the files of `directory`, and to a ledger where one is asked for."""

    def __init__(self, directory: Path, ledger: Path | None, instance: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._files = {kind: _open(directory / name) for kind, name in FILES.items()}
        self._ledger = _open(ledger) if ledger else None
        self._instance = instance
        self._last = 0

    def new_event(self, kind: str) -> str:
        """An identity for an event of this kind, used by no other event of any run of the app."""
        self._last += 1
        return f"evt-{self._instance}-{kind}-{self._last:06d}"

    def write(self, kind: str, event: str | None, text: str, facts: Mapping[str, object]) -> None:
        """Log `text`, which holds `event` (None: it carries no identity). `facts` is what its record must say."""
        _append(self._files[kind], text + "\n")
        if self._ledger is not None:
            # The end of an event of many lines shows later whether they were kept together.
            last_line = text.rpartition("\n")[2] if "\n" in text else ""
            written = {"event": event, "kind": kind, "last_line": last_line, "facts": facts}
            _append(self._ledger, json.dumps(written) + "\n")

    def close(self) -> None:
        """Close the files."""
        for file in (*self._files.values(), self._ledger):
            if file is not None:
                os.close(file)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def _append(file: int, text: str) -> None:
    view = memoryview(text.encode())
    while view:
        view = view[os.write(file, view) :]
