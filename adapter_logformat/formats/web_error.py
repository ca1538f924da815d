"""Error logs of nginx and of Apache httpd 2.2 and 2.4: the message, and the request it is about; Apache's log of TLS
requests.
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats.access import put_request
from adapter_logformat.grammar import CLF, HMS, NOTHING, YMD, Layout, is_number, parts_time, unread_time
from adapter_logformat.multiline import ALONE, TEXT
from adapter_logformat.record import Record, Stamp
from adapter_logformat.severity import DEBUG, SYSLOG_WORDS, TRACE
from adapter_logformat.timestamps import Times

_QUOTED: Final = ("referrer", "host", "upstream", "subrequest", "request")
_KEYS: Final = ("referrer", "host", "upstream", "subrequest", "request", "login", "server", "client")
"""What nginx appends to a message, last one first; each at most once (ngx_http_log_error)."""
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:]+)(?::(\d{1,5}))?", re.ASCII)
_APACHE_SCALE: Final = {**SYSLOG_WORDS, **{f"TRACE{step}": TRACE for step in range(1, 9)}, "DEBUG": DEBUG}
_REFERER: Final = ", referer: "


def _nginx(record: Record, found: Mapping[str, str | None]) -> bool:
    text = record.body or ""
    told: dict[str, str] = {}
    for key in _KEYS:
        at = text.rfind(f", {key}: ")
        if at < 0:
            continue
        value = text[at + len(key) + 4 :]
        if key in _QUOTED:
            if len(value) < 2 or value[0] != '"' or value[-1] != '"':
                continue
            value = value[1:-1]
        elif ", " in value:
            continue
        told[key], text = value, text[:at]
    record.body = text
    attributes = record.attributes
    for key, name in (("client", "client.address"), ("login", "user.name"), ("server", "app.server"),
                      ("upstream", "app.upstream"), ("subrequest", "app.subrequest")):  # fmt: skip
        if told.get(key):
            attributes[name] = told[key]
    if "request" in told:
        attributes["app.request"] = told["request"]
        put_request(told["request"], attributes)
    if (host := _HOST.fullmatch(told.get("host", ""))) is not None:
        attributes["server.address"] = host[1].strip("[]")
        if host[2]:
            attributes["server.port"] = int(host[2])
    if told.get("referrer"):
        attributes["http.request.header.referer"] = [told["referrer"]]
    return True


def _apache(record: Record, found: Mapping[str, str | None]) -> bool:
    client, body = found["client"], record.body or ""
    if record.timestamp is None and found["other"] is not None:
        unread_time(record, found["other"])
    if client is not None:
        # Since 2.4 (which also names the process) the port is always there.
        address, colon, port = client.rpartition(":")
        if found["pid"] is not None and colon and is_number(port, 5):
            record.attributes["client.address"], record.attributes["client.port"] = address.strip("[]"), int(port)
        else:
            record.attributes["client.address"] = client
    text, comma, referer = body.rpartition(_REFERER)
    if comma and " " not in referer:
        record.attributes["http.request.header.referer"] = [referer]
        body = text
    record.body = (found["errno"] or "") + body
    return True


def _apache_time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    other = found["other"]
    if other is None:
        return parts_time(times, found)
    return times.clf(other) if "/" in other else times.text(other)


def _tls_request(record: Record, found: Mapping[str, str | None]) -> bool:
    put_request(record.body or "", record.attributes)
    return True


LAYOUTS: Final = (
    Layout(
        name="nginx_error",
        title="nginx error log",
        rank=86,
        pattern=rf"{YMD} {HMS} \[(?P<level>[a-z]{{4,6}})\] (?P<pid>\d{{1,10}}+)#(?P<tid>\d{{1,10}}+): "
        r"(?:\*(?P<connection>\d{1,18}+) )?(?P<body>.*)",
        sample='2026/11/20 08:51:00 [error] 31#31: *7 open() "/srv/x" failed (2: No such file or directory), client: '
        '192.0.2.1, server: _, request: "GET /x HTTP/1.1", host: "shop.example.com"',
        scale=SYSLOG_WORDS,
        fields={"pid": ("process.pid", int), "tid": ("thread.id", int), "connection": ("app.connection", int)},
        time=parts_time,
        rule=TEXT,
        finish=_nginx,
    ),
    Layout(
        name="apache_error",
        title="Apache httpd error log, 2.2 and 2.4",
        rank=86,
        # The time may also be that of the access log, or ISO's (`%{cu}t`): then only a module or process tells.
        pattern=r"\[(?:(?:[A-Z][a-z]{2} )?(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) "
        rf"{HMS} (?P<year>\d{{4}})|(?P<other>\d\d/[A-Z][a-z]{{2}}/\d{{4}}:\d\d:\d\d:\d\d [+-]\d{{4}}|"
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)(?=\] \[[\w.\-]*+:[a-z]{3,7}[1-8]?\] \[pid ))"
        r"\] \[(?:(?P<module>[\w.\-]*+):)?(?P<level>[a-z]{3,7}[1-8]?)\] "
        r"(?:\[pid (?P<pid>\d{1,10}+)(?::tid (?P<tid>\d{1,18}+))?\] )?"
        r"(?:(?P<file>[\w./\-]{1,200}+)\((?P<line>\d{1,9}+)\): )?(?P<errno>\(-?\d{1,9}\)[^:\[\]]{1,200}:? (?=\[))?"
        r"(?:\[(?:client|remote) (?P<client>[^\] ]*+)\] )?(?P<body>.*)",
        sample="[Fri Nov 20 08:51:00.123456 2026] [core:error] [pid 35708:tid 4328636416] [client 192.0.2.1:50000] "
        "AH00126: Invalid URI in request GET /%",
        scale=_APACHE_SCALE,
        fields={
            "module": ("app.module", str),
            "pid": ("process.pid", int),
            "tid": ("thread.id", int),
            "file": ("code.file.path", str),
            "line": ("code.line.number", int),
        },
        time=_apache_time,
        rule=TEXT,
        absent=frozenset({""}),
        finish=_apache,
    ),
    Layout(
        name="apache_tls_request",
        title='Apache httpd\'s ssl_request_log: `[time] client protocol cipher "request" size`',
        rank=86,
        pattern=rf"\[{CLF}\] (?P<client>[^ ]{{1,255}}+) (?P<protocol>(?:TLS|SSL)v[\d.]{{1,5}}+|-) "
        r'(?P<cipher>[\w\-]{1,80}+) "(?P<body>(?:[^"\\]++|\\.){0,9999}+)" (?P<size>\d{1,18}+|-)',
        sample='[20/Nov/2026:08:51:00 +0000] 192.0.2.1 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 "GET /x HTTP/1.1" 4984',
        scale={},
        fields={
            "client": ("client.address", str),
            "protocol": ("app.tls_protocol", str),
            "cipher": ("app.tls_cipher", str),
            "size": ("http.response.body.size", int),
        },
        time=parts_time,
        rule=ALONE,
        absent=NOTHING,
        finish=_tls_request,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
