"""The app's ledger as it grows: each look reads only what was added since the last one."""

from pathlib import Path

from podmates.proof import Written, parse_ledger


class Ledger:
    """What the app says it has logged, from the file it keeps. The file need not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._events: list[Written] = []
        self._read_to = 0

    def events(self) -> list[Written]:
        """Every event so far; do not change the list."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                added = file.read()
            whole = added[: added.rfind(b"\n") + 1]
            self._events += parse_ledger(whole.decode())
            self._read_to += len(whole)
        return self._events
