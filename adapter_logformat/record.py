"""The record every format is read into and every profile is written from, and the stamp of a moment.

Values only: how a line becomes a record is the matter of `formats/`, how a record becomes bytes of `profiles/`.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

OWN_PREFIX = "app."
"""Prefix of the app's own keys inside `attributes`, so that they can never collide with a semantic-convention name."""

OBSERVED = "observed"
"""Value of `timestamp.assumed` where the record carries no readable time and the time of reading stands in."""


class Stamp(NamedTuple):
    """A moment as RFC 3339 in UTC, as precise as its source, and what had to be guessed ("", "zone",
    "year,zone", …)."""

    text: str
    assumed: str


@dataclass(slots=True)
class Record:
    """One log record; `None` and empty mean absent. `attributes` and `resource` hold JSON-encodable values."""

    format: str
    timestamp: Stamp | None = None
    severity_text: str | None = None
    severity_number: int | None = None
    body: str | None = None
    attributes: dict[str, object] = field(default_factory=dict)
    resource: dict[str, object] = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None
    trace_flags: str | None = None
    original: str | None = None
    error: str | None = None
    truncated: bool = False
