"""The texts of the demo that take some finding or shaping: raw events, records, addresses, last words, the proof."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from podmates.local_pod import LocalPod
from podmates.mate_settings import APP_LOGS
from podmates.proof import Proof
from podmates.sample_app.event_log import FILES
from podmates.terminal import Terminal


def raw_event(shared: Path, kind: str, event: str) -> tuple[Path, str]:
    """The file an event was logged to, and its text: the line that holds it and the trace below."""
    path = shared / APP_LOGS / FILES[kind]
    lines = path.read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if event in line)
    return path, "\n".join(event_lines(lines[first:]))


def event_lines(lines: list[str]) -> list[str]:
    """The first line and those up to the next one that carries an event."""
    after = (n for n, line in enumerate(lines[1:], 1) if "evt-" in line)
    return lines[: next(after, len(lines))]


def record_text(record: Mapping[str, object]) -> str:
    """A record, one member a line, for reading."""
    members = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in record.items()]
    return "{" + ",\n ".join(members) + "}"


def last_event(lines: Iterable[str], name: str) -> dict[str, int] | None:
    """The counts of the last JSON event of this name."""
    for line in reversed(list(lines)):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.pop("event", None) == name:
            return event
    return None


def show(terminal: Terminal, proof: Proof) -> None:
    """The table of the proof, its claims, and examples of what contradicts them."""
    terminal.step("The proof, counted")
    rows = [(row.label, row.written, row.received, row.missing, row.doubled) for row in proof.rows]
    terminal.table(("", "logged", "received", "missing", "doubled"), rows)
    terminal.gap()
    for claim in proof.claims:
        terminal.verdict(claim.holds, claim.text, claim.numbers)
    for example in proof.examples:
        terminal.say(example)


def how_to_reach(pod: LocalPod, logs_url: str) -> list[str]:
    """What a guest may want to try while everything runs."""
    metrics = [
        f"{name:<11} http://{child.facts['ops']}/metrics" for name, child in pod.members.items() if name != "app"
    ]
    return [
        f"app         curl http://{pod.app_address}/orders/1",
        f"database    psql postgresql://app@{pod.database_address}/app",
        f"records     curl {logs_url}/records",
        *metrics,
        f"switch      edit environment: in {pod.settings / 'ambassador.yaml'}",
        f"logs        {pod.places.shared / APP_LOGS}, and of every process {pod.directory.parent}/*.log",
    ]
