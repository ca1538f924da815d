"""Status and switch over the ops endpoint: the running process's side, for callers inside the pod only.

The commands that call it are in `commands`.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
from aiohttp import web

from ambassador_dbproxy.routes import UnknownEnvironment
from ambassador_dbproxy.status import Status
from chassis.ops import Route, loopback_only


class SwitchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /environment."""

    environment: str


class SwitchAnswer(msgspec.Struct, frozen=True):
    """What a switch did: the environment before and after, and how many sessions leave."""

    old: str
    new: str
    leaving: int


class Switchable(Protocol):
    """What the routes need of the ambassador."""

    environment: str

    def status(self) -> Status: ...

    def switch(self, environment: str) -> int: ...


class Operations:
    """GET /status and POST /environment."""

    def __init__(self, ambassador: Switchable) -> None:
        self._ambassador = ambassador

    def routes(self) -> list[Route]:
        """For `Context.routes`."""
        return [
            ("GET", "/status", loopback_only(self._status)),
            ("POST", "/environment", loopback_only(self._switch)),
        ]

    async def _status(self, _: web.Request) -> web.Response:
        return _json(self._ambassador.status())

    async def _switch(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=SwitchRequest)
        except msgspec.MsgspecError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        old = self._ambassador.environment
        try:
            leaving = self._ambassador.switch(wanted.environment)
        except UnknownEnvironment as error:
            raise web.HTTPUnprocessableEntity(text=f"{error}\n") from error
        return _json(SwitchAnswer(old, wanted.environment, leaving))


def _json(value: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
