"""What `ambassador-dbproxy status` shows: the facts as values, and their text. Pure; no secret ever comes in here."""

from __future__ import annotations

import msgspec

from ambassador_dbproxy.metrics import Reading
from ambassador_dbproxy.server import Server
from ambassador_dbproxy.service import Upstream
from ambassador_dbproxy.settings import ListenerSettings


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One server of the current target."""

    host: str
    role: str
    health: str
    reason: str
    sessions: int


class ListenerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One listener and its target at one moment."""

    name: str
    listen: str
    protocol: str
    environment: str
    environments: list[str]
    role: str
    tls: str
    user: str | None
    database: str | None
    health: str
    reason: str
    servers: list[ServerStatus]
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
        role=target.role,
        tls=target.tls.mode,
        user=target.user,
        database=target.database,
        health=upstream.gate.health.value,
        reason=upstream.gate.reason,
        servers=[_server_status(server) for server in upstream.servers],
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
            f"  target    {each.environment}, role {each.role}, tls {each.tls}{_login(each)}",
            f"  health    {each.health}" + (f" ({each.reason})" if each.reason else ""),
            *(f"  server    {_server_text(server)}" for server in each.servers),
            f"  sessions  {each.sessions}, waiting {each.waiting}",
            f"  knows     {', '.join(each.environments)}",
        ]
    return "\n".join(lines) + "\n"


def _server_status(server: Server) -> ServerStatus:
    return ServerStatus(
        host=str(server.host),
        role=server.role.value,
        health=server.health.value,
        reason=server.reason,
        sessions=server.in_use,
    )


def _server_text(server: ServerStatus) -> str:
    return f"{server.host}: {server.health}, role {server.role}, sessions {server.sessions}"


def _login(each: ListenerStatus) -> str:
    if each.protocol == "tcp":
        return ""
    user = f"as {each.user}" if each.user else "with the app's own login"
    return f", {user}" + (f", database {each.database}" if each.database else "")
