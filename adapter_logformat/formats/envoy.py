"""Envoy: its access log, by itself and as Istio configures it, and what its own process says."""

from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats import access
from adapter_logformat.grammar import ISO, NOTHING, Field, Layout, is_number, iso_time
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import Record
from adapter_logformat.severity import CRIT, WORDS, of_status

_QUOTED: Final = r'(?:[^"\\]++|\\.){0,9999}+'


def _envoy(record: Record, found: Mapping[str, str | None]) -> bool:
    attributes = record.attributes
    access.put_request(record.body or "", attributes)
    status = int(found["status"] or 0)
    if status:
        attributes["http.response.status_code"] = status
        record.severity_number = of_status(status)
    if found["took"] != "-":
        name = "http.server.request.duration" if record.body != "- - -" else "app.duration"
        attributes[name] = int(found["took"] or 0) / 1000
    authority = found["authority"] or ""
    host, colon, port = authority.rpartition(":")
    if colon and is_number(port, 5) and not host.endswith(":"):
        attributes["server.address"], attributes["server.port"] = host.strip("[]"), int(port)
    remote = found.get("remote") or "-"
    if "client.address" not in attributes and remote != "-":
        attributes["client.address"] = remote.rpartition(":")[0].strip("[]") or remote
    return True


def _first_of_list(text: str) -> str:
    """The client in front of all proxies (X-Forwarded-For lists them from left to right)."""
    return text.split(",", 1)[0].strip()


_SERVED: Final = (
    r"(?P<received>\d{1,18}+) (?P<size>\d{1,18}+) (?P<took>\d{1,15}+|-) (?P<upstream_took>\d{1,15}+|-) "
    rf'"(?P<client>{_QUOTED})" "(?P<agent>{_QUOTED})" "(?P<id>{_QUOTED})" "(?P<authority>{_QUOTED})" '
    rf'"(?P<upstream>{_QUOTED})"'
)
_FIELDS: Final[dict[str, Field]] = {
    "received": ("http.request.body.size", int),
    "size": ("http.response.body.size", int),
    "client": ("client.address", _first_of_list),
    "agent": ("user_agent.original", access.unescape),
    "id": ("app.request_id", str),
    "authority": ("server.address", str),
    "upstream": ("app.upstream_host", str),
}

LAYOUTS: Final = (
    Layout(
        name="istio",
        title="Envoy as Istio configures it",
        rank=91,
        pattern=rf'\[{ISO}\] "(?P<body>{_QUOTED})" (?P<status>\d{{1,3}}) (?P<flags>[^ ]++) '
        rf'(?:(?P<details>[^ "]++) (?P<termination>[^ "]++) )?"(?P<failure>{_QUOTED})" {_SERVED}'
        r"(?: (?P<cluster>[^ ]++) (?P<local>[^ ]++) (?P<downstream>[^ ]++) (?P<remote>[^ ]++)"
        r"(?: (?P<sni>[^ ]++)(?: (?P<route>[^ ]++)(?: .*)?)?)?)?",
        sample='[2026-11-20T08:51:00.310Z] "GET /status/200 HTTP/1.1" 200 - via_upstream - "-" 0 135 5 4 "-" '
        '"curl/8.5" "84961386" "httpbin:8000" "192.0.2.7:80" outbound|8000||httpbin.default.svc.cluster.local'
        " 192.0.2.8:5000 "
        "192.0.2.9:8000 192.0.2.8:36000 - default",
        scale={},
        fields={
            "flags": ("app.response_flags", str),
            "details": ("app.response_code_details", str),
            "termination": ("app.connection_termination_details", str),
            "failure": ("app.upstream_transport_failure_reason", str),
            **_FIELDS,
            "cluster": ("app.upstream_cluster", str),
            "local": ("app.upstream_local_address", str),
            "downstream": ("app.downstream_local_address", str),
            "remote": ("app.downstream_remote_address", str),
            "sni": ("app.requested_server_name", str),
            "route": ("app.route_name", str),
        },
        time=iso_time,
        absent=NOTHING,
        finish=_envoy,
    ),
    Layout(
        name="envoy",
        title="Envoy's own default access log",
        rank=90,
        pattern=rf'\[{ISO}\] "(?P<body>{_QUOTED})" (?P<status>\d{{1,3}}) (?P<flags>[^ ]++) {_SERVED}(?: .*)?',
        sample='[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "192.0.2.28"'
        ' "nsq2http" '
        '"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://192.0.2.1:80"',
        scale={},
        fields={
            "flags": ("app.response_flags", str),
            **_FIELDS,
        },
        time=iso_time,
        absent=NOTHING,
        finish=_envoy,
    ),
    Layout(
        name="envoy_process",
        title="What Envoy's own process says: `[time][thread][level][logger] [file:line] message`",
        rank=86,
        pattern=rf"\[{ISO}\]\[(?P<thread>\d{{1,10}}+)\]\[(?P<level>trace|debug|info|warning|error|critical)\]"
        r"\[(?P<logger>[\w.\-]{1,60}+)\] (?:\[(?P<file>[\w./\-]{1,200}+):(?P<line>\d{1,9}+)\] )?(?P<body>.*)",
        sample="[2026-11-20 08:51:00.492][1][warning][runtime] [source/common/runtime/runtime_features.cc:31] Unable to"
        " use runtime singleton",
        scale={**WORDS, "CRITICAL": CRIT},
        fields={
            "thread": ("thread.id", int),
            "logger": ("otel.scope.name", str),
            "file": ("code.file.path", str),
            "line": ("code.line.number", int),
        },
        time=iso_time,
        rule=TEXT,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
