"""The counted proof: what was asked, what the app says it logged, and what the log server holds, compared one by one.

Pure: lists of values in, a table and a verdict out. Collecting the values is left to `demo`, printing to `terminal`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

EVENT = re.compile(rb"evt-[0-9a-f]+-(?:access|json|python|java)-\d{6,}")

SHOWN = 3  # examples of each kind of contradiction

KINDS = {
    "access": "access log (combined)",
    "json": "app log (JSON lines)",
    "python": "stack traces (Python)",
    "java": "stack traces (Java)",
}


@dataclass(frozen=True)
class Written:
    """One event the app logged, with the last of its lines if they are many.

    `event` is None when a stranger's request brought no identity.
    """

    event: str | None
    kind: str
    last_line: str
    facts: Mapping[str, object]


@dataclass(frozen=True)
class Evidence:
    """Everything the verdict rests on."""

    requests_made: int
    requests_failed: int
    queries: int
    queries_failed: int
    sessions_replaced: int
    written: Sequence[Written]
    records: Iterable[bytes]  # the lines the log server kept; read once, so that they may be streamed
    sent_again: int = 0  # whole records the log server had already acknowledged and recognised
    log_server_kills: int = 0
    first_failure: str = ""
    app_pids: Sequence[int] | None = ()  # None: processes have no telling number there, and nothing is claimed of them


@dataclass(frozen=True)
class Row:
    """One line of the table: events of a kind."""

    label: str
    written: int
    received: int
    missing: int
    doubled: int


@dataclass(frozen=True)
class Claim:
    """One sentence of the verdict, with its numbers, and whether it holds."""

    text: str
    numbers: str
    holds: bool


@dataclass(frozen=True)
class Proof:
    """The table, the claims, and examples of what contradicts them."""

    rows: Sequence[Row]
    claims: Sequence[Claim]
    examples: Sequence[str] = field(default=())

    @property
    def holds(self) -> bool:
        """True when every claim holds."""
        return all(claim.holds for claim in self.claims)


def parse_ledger(text: str) -> list[Written]:
    """The events of the app's ledger, without a line that is still being written."""
    whole = text[: text.rfind("\n") + 1]
    return [Written(**json.loads(line)) for line in whole.splitlines()]


def events_in(line: bytes) -> list[str]:
    """The identities of the events a record tells of, in order, each once. More than one: lines were joined wrongly."""
    return list(dict.fromkeys(match.decode() for match in EVENT.findall(line)))


def misread(written: Written, record: Mapping[str, object]) -> str | None:
    """What the record says otherwise than the app meant it, or None: a fact, or the end of a many-line event."""
    for name, meant in written.facts.items():
        said = lookup(record, name)
        if said != meant:
            return f"{name} is {said!r} instead of {meant!r}"
    if written.last_line and not any(written.last_line in text for text in texts(record)):
        return "the end of the stack trace is not in the record"
    return None


def lookup(record: Mapping[str, object], name: str) -> object:
    """A member of the record or of its attributes; None without it."""
    attributes = record.get("attributes")
    if name not in record and isinstance(attributes, Mapping):
        return attributes.get(name)
    return record.get(name)


def texts(value: object) -> Iterable[str]:
    """Every string in a record, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from texts(member)


@dataclass
class _Tally:
    """What was found while the records went by."""

    received: Counter[str] = field(default_factory=Counter)
    anonymous: int = 0
    unknown: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def prove(evidence: Evidence) -> Proof:
    """Hold the records against what was asked and written."""
    named = {written.event: written for written in evidence.written if written.event is not None}
    tally = _tally(evidence.records, named)
    unnamed = sum(written.event is None for written in evidence.written)
    rows = _rows(evidence.written, tally.received)
    examples = [
        *[f"answered wrongly: {evidence.first_failure}" for _ in evidence.first_failure[:1]],
        *[f"not received: {event}" for event in named if event not in tally.received][:SHOWN],
        *[f"received {count} times: {event}" for event, count in tally.received.items() if count > 1][:SHOWN],
        *[f"received, but never logged: {event}" for event in tally.unknown[:SHOWN]],
        *[f"read wrongly: {what}" for what in tally.wrong[:SHOWN]],
    ]
    strangers = abs(tally.anonymous - unnamed) + len(tally.unknown)
    return Proof(rows, _claims(evidence, rows[-1], strangers=strangers, wrong=len(tally.wrong)), examples)


def _tally(records: Iterable[bytes], named: Mapping[str, Written]) -> _Tally:
    tally = _Tally()
    for line in records:
        events = events_in(line)
        if not events:
            tally.anonymous += 1
            continue
        event = events[0]
        tally.received[event] += 1
        if event not in named:
            tally.unknown.append(event)
        elif len(events) > 1:
            tally.wrong.append(f"{event}: joined with {events[1]}")
        elif (what := misread(named[event], json.loads(line))) is not None:
            tally.wrong.append(f"{event}: {what}")
    return tally


def _rows(written: Sequence[Written], received: Mapping[str, int]) -> list[Row]:
    rows = []
    for kind, label in KINDS.items():
        events = {item.event for item in written if item.kind == kind and item.event is not None}
        there = sum(event in received for event in events)
        doubled = sum(received[event] - 1 for event in events if event in received)
        rows.append(Row(label, len(events), there, len(events) - there, doubled))
    sums = [sum(getattr(row, name) for row in rows) for name in ("written", "received", "missing", "doubled")]
    return [*rows, Row("all", *sums)]


def _claims(evidence: Evidence, total: Row, *, strangers: int, wrong: int) -> list[Claim]:
    access = sum(item.kind == "access" and item.event is not None for item in evidence.written)
    repeats = "" if not evidence.sent_again else f", {evidence.sent_again} sent again and recognised"
    ended = "" if not evidence.sessions_replaced else f", {evidence.sessions_replaced} sessions replaced"
    pids = sorted(set(evidence.app_pids or ()))
    restart = Claim("the app was never restarted", f"pid {', '.join(map(str, pids))}", len(pids) == 1)
    return [
        Claim(
            "requests made = access events logged",
            f"{evidence.requests_made} = {access}",
            evidence.requests_made == access > 0,
        ),
        Claim("requests answered wrongly", str(evidence.requests_failed), evidence.requests_failed == 0),
        Claim(
            "log events written = records received",
            f"{total.written} = {total.received}",
            total.written == total.received > 0 and total.missing == 0,
        ),
        # Without an outage nothing gives a reason to send a record twice.
        Claim(
            "duplicates",
            f"{total.doubled}{repeats}",
            total.doubled == 0 and (evidence.sent_again == 0 or evidence.log_server_kills > 0),
        ),
        Claim("records that are no event of the app", str(strangers), strangers == 0),
        Claim("records with a field read wrongly", str(wrong), wrong == 0),
        Claim(
            "queries failed",
            f"{evidence.queries_failed} of {evidence.queries}{ended}",
            evidence.queries_failed == 0 and evidence.queries > 0,
        ),
        *([] if evidence.app_pids is None else [restart]),
    ]
