"""Which format is a line in? Scored per stream, sticky, and asked again as soon as the stream's own format
stops reading.

The decision depends on the lines alone, never on how they were cut into chunks, so that every restart decides
the same.
"""

from collections.abc import Sequence
from typing import Final

from adapter_logformat.formats import registry
from adapter_logformat.grammar import Format
from adapter_logformat.record import Record
from adapter_logformat.timestamps import Times

SWITCH_AFTER: Final = 8
"""So many lines in a row read by one other format make it the stream's own."""


class Detector:
    """The format of one stream. `current` is its own format, or `None` before the first line that any format reads."""

    def __init__(self, only: Sequence[str] = (), own: Sequence[Format] = ()) -> None:
        """`only`: the names allowed, if not all; `own`: formats that are in no catalogue, and then the only others."""
        named = map(registry.named, only)
        self._own = tuple(own)
        allowed = {format.name: format for format in (*own, *named)}.values()
        self._allowed = tuple(sorted(allowed, key=lambda format: -format.rank))
        self._only = (*only, *(format.name for format in own))
        self.current: Format | None = None
        self._rival: Format | None = None
        self._streak = 0

    def read(self, line: str, times: Times) -> tuple[Format, Record] | None:
        """The format that reads `line` and the record it makes; `None` when no (allowed) format does."""
        current = self.current
        if current is not None and not current.generic and (current.yields is None or not current.yields(line)):
            record = current.read(line, times)
            if record is not None and self._may(current, record):
                self._streak = 0
                return current, record
        for format in self._allowed or registry.candidates(line):
            record = format.read(line, times)
            if record is not None and self._may(format, record):
                self._score(format)
                return format, record
        return None

    def _may(self, format: Format, record: Record) -> bool:
        """What a format found inside its own (JSON in syslog) is allowed wherever the format is."""
        if not self._only or record.format in self._only:
            return True
        return record.format not in format.names and any(name in self._only for name in format.names)

    def _score(self, format: Format) -> None:
        if format is self.current:
            self._streak = 0
            return
        self._streak = self._streak + 1 if format is self._rival else 1
        self._rival = format
        if self.current is None or self._streak >= SWITCH_AFTER:
            self.current, self._rival, self._streak = format, None, 0

    def confirm(self) -> None:
        """The fast form read lines with the stream's own format: any rival's run of luck is over."""
        self._streak = 0

    def snapshot(self) -> dict[str, object]:
        """What `restore` needs to go on deciding as if nothing had happened."""
        names = [format.names[0] if format else None for format in (self.current, self._rival)]
        return {"format": names[0], "rival": names[1], "streak": self._streak}

    def restore(self, saved: dict[str, object]) -> None:
        """Takes over a snapshot; formats that are no longer in the catalogue are forgotten."""
        self.current, self._rival = (self._known(saved.get(key)) for key in ("format", "rival"))
        streak = saved.get("streak")
        self._streak = streak if isinstance(streak, int) else 0

    def _known(self, name: object) -> Format | None:
        own = next((format for format in self._own if format.name == name), None)
        return registry.named(name) if own is None and isinstance(name, str) and name in registry.NAMES else own
