"""What `ambassador-dbproxy status` shows: the facts as values, and their text. Pure; no secret ever comes in here."""

from __future__ import annotations

import msgspec

from ambassador_dbproxy.metrics import Reading
from ambassador_dbproxy.service import Upstream
from ambassador_dbproxy.settings import ListenerSettings


class ListenerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One listener and its target at one moment."""

    name: str
    listen: str
    protocol: str
    environment: str
    environments: list[str]
    hosts: list[str]
    user: str | None
    database: str | None
    health: str
    reason: str
    server: str | None
    sessions: int
    waiting: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The ambassador at one moment."""

    environment: str
    phase: str
    listeners: list[ListenerStatus]


def listener_status(settings: ListenerSettings, address: str, upstream: Upstream, reading: Reading) -> ListenerStatus:
    """Put the facts of one listener together."""
    target = upstream.route.target
    return ListenerStatus(
        name=settings.name,
        listen=address,
        protocol=settings.protocol,
        environment=upstream.route.environment,
        environments=sorted(settings.environments),
        hosts=[str(host) for host in target.hosts],
        user=target.user,
        database=target.database,
        health=upstream.gate.health.value,
        reason=upstream.gate.reason,
        server=None if upstream.server is None else str(upstream.server),
        sessions=reading.open_sessions,
        waiting=reading.waiting,
    )


def status_text(status: Status) -> str:
    """For people: a line for the process, and a block for each listener."""
    lines = [f"environment {status.environment}, {status.phase}"]
    for each in status.listeners:
        lines += [
            "",
            f"{each.name}: {each.protocol} on {each.listen}",
            f"  target    {', '.join(each.hosts)}{_login(each)}",
            f"  health    {each.health}" + (f" ({each.reason})" if each.reason else ""),
            f"  server    {each.server or 'none yet'}",
            f"  sessions  {each.sessions}, waiting {each.waiting}",
            f"  knows     {', '.join(each.environments)}",
        ]
    return "\n".join(lines) + "\n"


def _login(each: ListenerStatus) -> str:
    if each.protocol == "tcp":
        return ""
    user = f"as {each.user}" if each.user else "with the app's own login"
    return f", {user}" + (f", database {each.database}" if each.database else "")
