"""The log files of the benchmarks: the same bytes at every run, made once and kept.

The lines look like those of an ordinary web service, about 257 bytes each.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BLOCK_LINES = 10_000
LEAST_LINES = 20_000
_LEVELS = ("info", "info", "info", "info", "info", "info", "debug", "debug", "warning", "error")
_LOGGERS = ("shop.orders", "shop.cart", "shop.payment.gateway", "shop.http.access")
_ACTIONS = ("order taken", "item put into the cart", "payment confirmed by the provider", "request answered")
_USERS = 100_003
_ROUTES = ("/api/v1/orders", "/api/v1/cart/items", "/api/v1/payments", "/static/catalogue")


@dataclass(frozen=True, slots=True)
class Workload:
    """`size` and `lines` of the file at `path`."""

    path: Path
    lines: int
    size: int


def json_line(number: int) -> bytes:
    """A record of a structured logger, with members of many kinds."""
    kind = number % 4
    record = {
        "time": _time(number) + "Z",
        "level": _LEVELS[number % 10],
        "logger": _LOGGERS[kind],
        "message": f"{_ACTIONS[kind]} for customer {number * 7919 % _USERS}",
        "method": "POST" if kind else "GET",
        "path": f"{_ROUTES[kind]}/{number * 31 % 99_991}",
        "client": f"10.0.{number * 17 % 251}.9",
        "status": 500 if number % 97 == 0 else 200,
        "duration_ms": round(number * 37 % 9973 / 10, 1),
        "trace_id": f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}",
    }
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def text_line(number: int) -> bytes:
    """A line of a plain-text logger, with a few quotes and no escapes of its own."""
    kind = number % 4
    return (
        f"{_time(number)} {_LEVELS[number % 10].upper():<7} [worker-{number % 16}] {_LOGGERS[kind]}: {_ACTIONS[kind]} "
        f'for customer {number * 7919 % _USERS}, path "{_ROUTES[kind]}/{number * 31 % 99_991}" status '
        f"{500 if number % 97 == 0 else 200} after {number * 37 % 9973 / 10:.1f} ms, trace "
        f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}, {number * 13 % 4096} bytes sent to the client "
        f"10.{number % 7}.{number * 17 % 251}.{number * 29 % 241} in one piece over the same connection\n"
    ).encode()


def access_line(number: int) -> bytes:
    """nginx's combined format, as browsers and their crawlers fill it."""
    seconds = number // 500
    time = f"14/Mar/2026:{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d} +0000"
    referer = f"https://shop.example.com{_ROUTES[number % 3]}" if number % 3 else "-"
    return (
        f'10.{number % 7}.{number * 17 % 251}.{number * 29 % 241} - - [{time}] "{"POST" if number % 9 == 0 else "GET"} '
        f'{_ROUTES[number % 4]}/{number * 31 % 99_991}?page={number % 40} HTTP/1.1" {500 if number % 97 == 0 else 200} '
        f'{number * 13 % 40_960 + 1} "{referer}" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 '
        f'(KHTML, like Gecko) Chrome/{110 + number % 12}.0.0.0 Safari/537.36"\n'
    ).encode()


def java_line(number: int) -> bytes:
    """Spring Boot's console: of 100 lines 60 belong to two stack traces."""
    at = number % 50
    if at < 20:
        level, text = ("ERROR", f"order {number} failed") if at == 19 else (" INFO", f"order {number} taken")
        when = _time(number).replace("T", " ")
        return f"{when} {level} 1 --- [nio-8080-exec-{number % 8}] c.e.shop.OrderService : {text}\n".encode()
    if at == 20:
        return b"java.lang.IllegalStateException: no stock left\n"
    if at == 40:
        return b"Caused by: java.io.IOException: connection reset\n"
    if at == 49:
        return b"\t... 12 more\n"
    return f"\tat com.example.shop.Layer{at}.handle(Layer{at}.java:{at * 7})\n".encode()


def prose_line(number: int) -> bytes:
    """Words that no logger wrote: no time, no level, nothing to go by."""
    kind = number % 4
    return (
        f"{_ACTIONS[kind]} by customer {number * 7919 % _USERS} and then put aside until shelf {number * 31 % 997} has "
        f"been counted again, which took {number * 37 % 9973} steps of the usual kind\n"
    ).encode()


def _time(number: int) -> str:
    """Some day, 1,000 lines a second."""
    seconds, millis = divmod(number, 1000)
    return f"2026-03-14T{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{millis:03d}"


KINDS: dict[str, Callable[[int], bytes]] = {
    "json": json_line,
    "text": text_line,
    "access": access_line,
    "java": java_line,
    "prose": prose_line,
}


def make(kind: str, lines: int, into: Path) -> Workload:
    """The file of `lines` lines of this kind below `into`, written unless it is there already."""
    # Named after what it is made of, so that a changed generator does not find an old file.
    sample = b"".join(map(KINDS[kind], range(100)))
    path = into / f"{kind}-{lines}-{hashlib.sha256(sample).hexdigest()[:8]}.log"
    if not path.exists():
        into.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        with temporary.open("wb") as file:
            for start in range(0, lines, BLOCK_LINES):
                file.write(b"".join(map(KINDS[kind], range(start, min(start + BLOCK_LINES, lines)))))
        temporary.rename(path)
    return Workload(path, lines, path.stat().st_size)


@dataclass(frozen=True, slots=True)
class Maker:
    """The files of one benchmark: `all` lines of a kind, `fewer` for contestants that are slow, and the `least`."""

    into: Path
    lines: int
    share: int
    """Fewer is one in so many."""

    def all(self, kind: str) -> Workload:
        return make(kind, self.lines, self.into)

    def fewer(self, kind: str) -> Workload:
        return make(kind, max(self.lines // self.share, min(self.lines, LEAST_LINES)), self.into)

    def least(self, kind: str) -> Workload:
        return make(kind, min(self.lines, LEAST_LINES), self.into)
