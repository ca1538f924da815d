"""Logs of reverse proxies: ingress-nginx, Traefik (common log format with more), HAProxy http and tcp. Envoy has a
module of its own.
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats import access
from adapter_logformat.grammar import Format, Layout, parts_time
from adapter_logformat.multiline import LINES
from adapter_logformat.record import Record
from adapter_logformat.severity import ALERT, DEBUG, NOTICE, WARN, of_status
from adapter_logformat.timestamps import Times

_ITEM: Final = r"[^ ,]++"
_LIST: Final = rf"{_ITEM}(?:(?:, | : ){_ITEM})*+"
_INGRESS: Final = re.compile(
    r" (?P<length>\d{1,15}+) (?P<took>\d{1,9}+\.\d{1,9}+) \[(?P<upstream>[^\]]*+)\](?: \[(?P<other>[^\]]*+)\])?"
    rf" (?P<addresses>{_LIST}) (?P<lengths>{_LIST}) (?P<times>{_LIST}) (?P<statuses>{_LIST})"
    r"(?: (?P<id>[0-9a-fA-F\-]{8,64}+|-))?(?P<rest> .*)?",
    re.ASCII,
)
_BETWEEN: Final = re.compile(r", | : ")
_TRAEFIK: Final = re.compile(
    r' (?P<number>\d++) (?:"(?P<router>[^"]*+)"|-) (?:"(?P<server>[^"]*+)"|-) (?P<took>\d++)ms(?P<rest> .*)?', re.ASCII
)
_HASH: Final = re.compile(r"(?:#[0-9A-F]{2})++")
_TIMERS: Final = ("request", "queue", "connect", "response", "total")


def read_ingress(line: str, times: Times) -> Record | None:
    """Combined, then `$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name]` and
    one element for each try of an upstream."""
    known = access.parse(line, times)
    if known is None or known[0].format != "combined":
        return None
    record, tail = known
    found = _INGRESS.fullmatch(tail)
    if found is None:
        return None
    record.format = "ingress_nginx"
    attributes = record.attributes
    attributes["http.request.size"] = int(found["length"])
    attributes["http.server.request.duration"] = float(found["took"])
    for group, name in (("upstream", "name"), ("other", "alternative_name")):
        if found[group] not in (None, "", "-"):
            attributes[f"app.upstream.{name}"] = found[group]
    for group, name in (("addresses", "address"), ("lengths", "response_length"), ("times", "response_time"),
                        ("statuses", "status")):  # fmt: skip
        tries = _BETWEEN.split(found[group])
        if any(each != "-" for each in tries):
            attributes[f"app.upstream.{name}"] = tries
    if found["id"] not in (None, "-"):
        attributes["app.request_id"] = found["id"]
    _rest(record, found["rest"])
    return record


def read_traefik(line: str, times: Times) -> Record | None:
    """Combined, then the number of requests since the start, router, server and milliseconds."""
    known = access.parse(line, times)
    if known is None or known[0].format != "combined":
        return None
    record, tail = known
    found = _TRAEFIK.fullmatch(tail)
    if found is None:
        return None
    record.format = "traefik"
    attributes = record.attributes
    attributes["app.request_number"] = int(found["number"][:18])
    for group in ("router", "server"):
        if found[group] not in (None, "", "-"):
            attributes[f"app.{group}"] = found[group]
    attributes["http.server.request.duration"] = int(found["took"][:15]) / 1000
    _rest(record, found["rest"])
    return record


def _rest(record: Record, text: str | None) -> None:
    more = access.extras(text or "")
    if more:
        record.attributes["app.extra"] = more


def _haproxy(record: Record, found: Mapping[str, str | None]) -> bool:
    attributes = record.attributes
    timers = (found["timers"] or "").split("/")
    for name, value in zip(_TIMERS if len(timers) == 5 else ("queue", "connect", "total"), timers, strict=True):
        if not value.startswith("-"):
            attributes[f"app.time.{name}_ms"] = int(value)
    if (found["frontend"] or "").endswith("~"):
        # The mark of a connection that came through TLS.
        attributes["app.frontend"], attributes["app.tls"] = (found["frontend"] or "")[:-1], True
    if len(timers) == 5 and not timers[-1].startswith("-"):
        attributes["http.server.request.duration"] = int(timers[-1]) / 1000
    for name, value in zip(("active", "frontend", "backend", "server", "retries"), (found["conns"] or "").split("/"),
                           strict=True):  # fmt: skip
        attributes[f"app.connections.{name}" if name != "retries" else "app.retries"] = int(value)
    return True


def _haproxy_http(record: Record, found: Mapping[str, str | None]) -> bool:
    _haproxy(record, found)
    status = found["status"] or ""
    if status != "-1":
        record.attributes["http.response.status_code"] = int(status)
        record.severity_number = of_status(int(status))
    request = found["body"] or ""
    access.put_request(_HASH.sub(_plain, request), record.attributes)
    captures = [text for text in (found["captured"], found["captured2"]) if text is not None]
    if captures:
        record.attributes["app.captures"] = captures
    _rest(record, (found["extra"] or "").rstrip())
    return True


def _haproxy_tcp(record: Record, found: Mapping[str, str | None]) -> bool:
    record.body = found["whole"]
    return _haproxy(record, found)


def _plain(run: re.Match[str]) -> str:
    return bytes.fromhex(run[0].replace("#", "")).decode(errors="replace")


_HAPROXY_HEAD: Final = (
    r"(?:haproxy\[(?P<pid>\d{1,10}+)\]: )?(?:\[(?P<prefix>[A-Za-z][\w.\-]{0,59}+)\] )?"
    r"(?P<client>[^ \[\]]{1,300}?):(?P<port>\d{1,5}+) "
    r"\[(?P<day>\d\d)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4}):(?P<clock>\d\d:\d\d:\d\d)\.(?P<fraction>\d{3})\] "
)
_HAPROXY_MIDDLE: Final = r"(?P<frontend>[^ ]{1,300}+) (?P<backend>[^ /]{1,300}+)/(?P<server>[^ ]{1,300}+) "
_CONNS: Final = r"(?P<conns>\d{1,10}+/\d{1,10}+/\d{1,10}+/\d{1,10}+/\+?\d{1,10}+) (?P<queues>\d{1,10}+/\d{1,10}+)"
_HAPROXY_FIELDS: Final = {
    "pid": ("process.pid", int), "prefix": ("app.prefix", str), "client": ("client.address", str),
    "port": ("client.port", int), "frontend": ("app.frontend", str), "backend": ("app.backend", str),
    "server": ("app.server", str),
    "termination": ("app.termination_state", str), "queues": ("app.queues", str),
}  # fmt: skip

_ABSENT: Final = frozenset({"-"})
_PROCESS_SCALE: Final = {"DIAG": DEBUG, "NOTICE": NOTICE, "WARNING": WARN, "ALERT": ALERT}

LAYOUTS: Final = (
    Layout(
        name="haproxy_http",
        title="HAProxy httplog",
        rank=92,
        pattern=_HAPROXY_HEAD + _HAPROXY_MIDDLE + r"(?P<timers>[+-]?\d{1,9}+(?:/[+-]?\d{1,9}+){4}) "
        r"(?P<status>\d{3}|-1) \+?(?P<size>\d{1,18}+) (?P<cookie>[^ ]++) (?P<cookie2>[^ ]++) (?P<termination>[^"
        r" ]{4}) "
        rf"{_CONNS}(?: \{{(?P<captured>[^}}]*+)\}})?(?: \{{(?P<captured2>[^}}]*+)\}})? "
        r'"(?P<body>[^"]*+)(?:"(?P<extra>(?: .*)?))?',
        sample="192.0.2.1:33317 [20/Nov/2026:08:51:00.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- "
        '1/1/1/1/0 0/0 {shop.example.com} {} "GET /index.html HTTP/1.1"',
        scale={},
        fields={
            **_HAPROXY_FIELDS,
            "size": ("http.response.size", int),
            "cookie": ("app.request_cookie", str),
            "cookie2": ("app.response_cookie", str),
        },
        time=parts_time,
        absent=_ABSENT,
        finish=_haproxy_http,
    ),
    Layout(
        name="haproxy_tcp",
        title="HAProxy tcplog",
        rank=91,
        pattern=rf"(?P<whole>{_HAPROXY_HEAD}{_HAPROXY_MIDDLE}(?P<timers>[+-]?\d{{1,9}}+(?:/[+-]?\d{{1,9}}+){{2}}) "
        rf"\+?(?P<size>\d{{1,18}}+) (?P<termination>[^ ]{{2}}) {_CONNS})(?P<extra>(?: .*)?)",
        sample="192.0.2.1:33313 [20/Nov/2026:08:51:00.655] db bck/srv1 0/0/5007 212 -- 0/0/0/0/3 0/0",
        scale={},
        fields={**_HAPROXY_FIELDS, "size": ("app.bytes", int)},
        time=parts_time,
        absent=_ABSENT,
        finish=_haproxy_tcp,
    ),
    Layout(
        name="haproxy_error",
        title="HAProxy connection errors",
        rank=90,
        pattern=_HAPROXY_HEAD + r"(?P<frontend>[^ /]{1,300}+)/(?P<listener>[^ ]{1,300}?): (?P<body>.*)",
        sample="192.0.2.1:33313 [20/Nov/2026:08:51:00.655] https/1: SSL handshake failure",
        scale={},
        fields={
            "pid": ("process.pid", int),
            "prefix": ("app.prefix", str),
            "client": ("client.address", str),
            "port": ("client.port", int),
            "frontend": ("app.frontend", str),
            "listener": ("app.listener", str),
        },
        time=parts_time,
        absent=_ABSENT,
    ),
    Layout(
        name="haproxy_process",
        title="What HAProxy's own process says: `[LEVEL] (pid) : message`",
        rank=84,
        pattern=r"\[(?P<level>DIAG|NOTICE|WARNING|ALERT)\] {1,4}(?:(?P<moment>\d{3}/\d{6}) )?\((?P<pid>\d{1,10}+)\) : "
        r"(?P<body>.*)",
        sample="[WARNING]  (24) : Server shop/srv1 is DOWN, reason: Layer4 connection problem",
        scale=_PROCESS_SCALE,
        fields={"pid": ("process.pid", int), "moment": ("app.moment", str)},
        time=None,
        rule=LINES,
    ),
)

_COMBINED: Final = '192.0.2.1 - - [20/Nov/2026:08:51:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8.5" '

FORMATS: Final = (
    *(layout.format() for layout in LAYOUTS),
    Format(
        name="ingress_nginx",
        title="ingress-nginx: combined with its upstreams, retries as lists",
        rank=83,
        read=read_ingress,
        sample=_COMBINED + "87 0.003 [default-shop-80] [] 192.0.2.6:80, 192.0.2.7:80 0, 5 0.001, 0.002 502, 200 "
        "6bb2d5a1e8f94b0f8c2d7f6f0a1b2c3d",
    ),
    Format(
        name="traefik",
        title="Traefik's common log format",
        rank=82,
        read=read_traefik,
        sample=_COMBINED + '7 "shop@docker" "http://192.0.2.6:80" 5ms',
    ),
)
