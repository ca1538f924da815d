"""The ops endpoint: probes and metrics for the cluster, and a way to stop a mate from inside its pod.

Probes tell of this process alone, never of an upstream: a central server that is down must not restart pods.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from chassis.errors import OperatorError
from chassis.units import Address

if TYPE_CHECKING:
    from chassis.lifecycle import Life

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Route = tuple[str, str, Handler]

LARGEST_REQUEST = 64 * 1024
CLOSE_WITHIN_S = 1.0


class OpsServer:
    """Serves `/livez`, `/readyz`, `/startupz`, `/metrics`, `POST /quitquitquit` and a mate's own `routes`."""

    def __init__(self, life: "Life", registry: CollectorRegistry, routes: list[Route]) -> None:
        self._life = life
        self._registry = registry
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/startupz", self._startupz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/quitquitquit", loopback_only(self._quit))
        for method, path, handler in routes:
            app.router.add_route(method, path, handler)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_WITHIN_S)

    async def start(self, listen: Address) -> Address:
        """Binds `listen` and returns where it really listens. OperatorError (`ops.listen`) when it cannot be bound."""
        await self._runner.setup()
        site: web.BaseSite = (
            web.UnixSite(self._runner, listen.path)
            if listen.path
            else web.TCPSite(self._runner, listen.host, listen.port)
        )
        try:
            await site.start()
        except OSError as error:
            await self.close()
            # asyncio puts a sentence of its own, with the address once more, before the system's reason.
            reason = str(error.strerror).rpartition(": ")[2]
            raise OperatorError("ops.listen", f"cannot listen on {listen}: {reason}") from error
        if listen.path:
            return listen
        return Address.of(listen.host, self._runner.addresses[0][1])

    async def close(self) -> None:
        """Ends in bounded time, whatever a client holds open: the process is about to end anyway."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * CLOSE_WITHIN_S):
                await self._runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        return _probe(self._life.is_ready, self._life.phase.value)

    async def _startupz(self, _: web.Request) -> web.Response:
        return _probe(self._life.has_started, self._life.phase.value)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _quit(self, _: web.Request) -> web.Response:
        self._life.stop("quitquitquit")
        return web.Response(text="stopping\n")


def loopback_only(handler: Handler) -> Handler:
    """`handler` for callers inside the pod (loopback or a unix socket); all others get 403.

    A request that a browser made for a web page (it carries `Origin`) is refused too.
    """

    async def guarded(request: web.Request) -> web.StreamResponse:
        remote = request.remote
        inside = not remote or ipaddress.ip_address(remote.partition("%")[0]).is_loopback
        if not inside or "Origin" in request.headers:
            raise web.HTTPForbidden(text="only from inside the pod, over loopback\n")
        return await handler(request)

    return guarded


def _probe(good: bool, phase: str) -> web.Response:
    return web.Response(status=200 if good else 503, text=f"{phase}\n")
