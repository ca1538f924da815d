"""What the shop answers: orders from its database, and failures that leave stack traces in its logs.

The text of the lines is made in `lines`, the files are written by `event_log`, sessions are kept by `database`.
"""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from podmates.sample_app.database import AppDatabase, DatabaseUnavailable
from podmates.sample_app.event_log import EventLog
from podmates.sample_app.lines import Access, combined, java_trace, json_line, python_trace

QUIET_PATHS = frozenset({"/-/stats"})
ORDER_SQL = (
    "SELECT orders.id, item, amount, environment.name AS environment FROM orders, environment WHERE orders.id = $1"
)
ERROR = {"severity_number": 17}


@dataclass
class Shop:
    """What the handlers share."""

    database: AppDatabase
    events: EventLog
    requests: int = 0


SHOP = web.AppKey("SHOP", Shop)


def now() -> datetime:
    """The local time with its zone."""
    return datetime.now().astimezone()


def log_json(shop: Shop, level: str, message: str, **members: object) -> None:
    """One event of the JSON log."""
    event = shop.events.new_event("json")
    number = {"info": 9, "warn": 13, "error": 17}[level]
    text = json_line(now(), level, message, {"event": event, **members})
    shop.events.write("json", event, text, {"severity_number": number})


def log_python(shop: Shop, logger: str, message: str, error: Exception) -> None:
    """One event of the log of stack traces."""
    event = shop.events.new_event("python")
    text = python_trace(now(), logger, f"{message} ({event})", error)
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    shop.events.write("python", event, text, {**ERROR, "exception.type": name})


@web.middleware
async def access_log(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """One access event for every answer. The client names it (`?event=…`), since the format cannot."""
    if request.path in QUIET_PATHS:
        return await handler(request)
    request.app[SHOP].requests += 1
    answer: web.StreamResponse
    try:
        answer = await handler(request)
    except web.HTTPException as refusal:
        answer = web.json_response({"error": refusal.reason}, status=refusal.status)
    except Exception as error:  # a bug: it is logged, and answered, like any other failure
        log_python(request.app[SHOP], "shop", f"GET {request.path} failed", error)
        answer = web.json_response({"error": "internal error"}, status=500)
    size = len(answer.body) if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else 0
    version = f"HTTP/{request.version.major}.{request.version.minor}"
    headers = request.headers
    access = Access(
        request.remote or "-", request.method, request.raw_path, version, answer.status, size,
        headers.get("Referer", ""), headers.get("User-Agent", ""),
    )  # fmt: skip
    facts: dict[str, object] = {"http.request.method": request.method, "url.path": request.rel_url.raw_path}
    facts |= {"http.response.status_code": answer.status}
    request.app[SHOP].events.write("access", request.query.get("event"), combined(access, now()), facts)
    return answer


async def order(request: web.Request) -> web.Response:
    """GET /orders/{id}: the order and the environment it was found in; 404 without it, 503 without a database."""
    shop, number = request.app[SHOP], int(request.match_info["id"])
    began = time.monotonic()
    try:
        row = await shop.database.row(ORDER_SQL, number)
    except DatabaseUnavailable as error:
        log_json(shop, "error", "database unavailable", order=number, reason=str(error))
        return web.json_response({"error": "database unavailable"}, status=503)
    took_ms = round((time.monotonic() - began) * 1000, 3)
    if row is None:
        log_json(shop, "warn", "no such order", order=number, took_ms=took_ms)
        return web.json_response({"error": "no such order"}, status=404)
    log_json(shop, "info", "order read", order=number, environment=row["environment"], took_ms=took_ms)
    return web.json_response(dict(row))


async def price(request: web.Request) -> web.Response:
    """GET /price/{id}: a bug of the app, logged the way Python does. Always 500."""
    shop, number = request.app[SHOP], int(request.match_info["id"])
    try:
        _discount(number)
    except ValueError as error:
        log_python(shop, "shop.pricing", f"order {number} has no price", error)
    return web.json_response({"error": "no price"}, status=500)


def _discount(number: int) -> int:
    rates = {"summer": 10}
    try:
        return rates[f"season-{number}"]
    except KeyError as missing:
        raise ValueError(f"order {number} was placed in no known season") from missing


async def invoice(request: web.Request) -> web.Response:
    """GET /invoice/{id}: a failure of the billing part, logged the way Java services do. Always 502."""
    shop, number = request.app[SHOP], int(request.match_info["id"])
    event = shop.events.new_event("java")
    text = java_trace(now(), f"invoice for order {number} failed ({event})", number)
    shop.events.write("java", event, text, {**ERROR, "exception.type": "java.lang.IllegalStateException"})
    return web.json_response({"error": "billing failed"}, status=502)


async def stats(request: web.Request) -> web.Response:
    """GET /-/stats: what the app counted; kept out of the access log."""
    shop = request.app[SHOP]
    return web.json_response({"requests": shop.requests, "pid": os.getpid(), **shop.database.stats()})


def application(shop: Shop) -> web.Application:
    """The web app over its database and log files."""
    app = web.Application(middlewares=[access_log])
    app[SHOP] = shop
    app.add_routes([web.get(r"/orders/{id:\d{1,9}}", order), web.get(r"/price/{id:\d{1,9}}", price)])
    app.add_routes([web.get(r"/invoice/{id:\d{1,9}}", invoice), web.get("/-/stats", stats)])
    return app
