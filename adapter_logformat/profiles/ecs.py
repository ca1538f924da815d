"""Profile `ecs`: the Elastic Common Schema 8, nested objects with its names and types.

Semantic-convention names that ECS spells otherwise are renamed; names that are ECS's as well are kept; what ECS has no
field for goes, as text, under `labels`, whose keys have no dots and whose values are keywords. So does what finds its
field taken by another value of the record.
"""

from functools import partial
from typing import Final

import msgspec

from adapter_logformat.record import OBSERVED, OWN_PREFIX, Record
from adapter_logformat.unique import unique

_encode = msgspec.json.Encoder().encode
VERSION: Final = "8.17.0"
RENAMED: Final = {
    "http.request.method": "http.request.method",
    "http.request.method_original": "labels.http_request_method_original",
    "http.response.status_code": "http.response.status_code",
    "http.response.body.size": "http.response.body.bytes",
    "http.request.body.size": "http.request.body.bytes",
    "http.request.size": "http.request.bytes",
    "http.response.size": "http.response.bytes",
    "http.request.header.referer": "http.request.referrer",
    "network.protocol.name": "network.protocol",
    "network.protocol.version": "http.version",
    "network.peer.address": "source.address",
    "network.peer.port": "source.port",
    "source.address": "source.address",
    "source.port": "source.port",
    "destination.address": "destination.address",
    "destination.port": "destination.port",
    "tls.cipher": "tls.cipher",
    "error.type": "error.type",
    "client.address": "client.address",
    "client.port": "client.port",
    "server.address": "server.address",
    "server.port": "server.port",
    "url.path": "url.path",
    "url.query": "url.query",
    "url.full": "url.full",
    "url.original": "url.original",
    "url.scheme": "url.scheme",
    "user.name": "user.name",
    "user_agent.original": "user_agent.original",
    "exception.type": "error.type",
    "exception.message": "error.message",
    "exception.stacktrace": "error.stack_trace",
    "otel.scope.name": "log.logger",
    "code.file.path": "log.origin.file.name",
    "code.line.number": "log.origin.file.line",
    "code.function.name": "log.origin.function",
    "log.file.path": "log.file.path",
    "thread.name": "process.thread.name",
    "thread.id": "process.thread.id",
    "process.pid": "process.pid",
    "process.executable.name": "process.name",
    "process.command": "process.command_line",
    "syslog.facility.code": "log.syslog.facility.code",
    "syslog.severity.code": "log.syslog.severity.code",
    "syslog.msg.id": "log.syslog.msgid",
    "host.name": "host.hostname",
    "service.name": "service.name",
    "service.version": "service.version",
    "service.instance.id": "service.node.name",
    "deployment.environment.name": "service.environment",
    "container.id": "container.id",
    "container.name": "container.name",
    "k8s.pod.name": "orchestrator.resource.name",
    "k8s.namespace.name": "orchestrator.namespace",
}
INTEGERS: Final = {
    "http.response.status_code", "http.response.body.bytes", "http.request.body.bytes", "http.request.bytes",
    "http.response.bytes", "client.port", "server.port", "source.port", "destination.port", "log.origin.file.line",
    "process.thread.id", "process.pid", "log.syslog.facility.code", "log.syslog.severity.code",
}  # fmt: skip
"""ECS `long`; everything else above is a keyword, text, wildcard or ip."""


def render(record: Record, observed: str) -> bytes:
    """`record` as one ECS document."""
    stamp = record.timestamp
    line: dict[str, object] = {"@timestamp": stamp.text if stamp else observed, "ecs": {"version": VERSION}}
    if record.body is not None:
        line["message"] = record.body
    if record.severity_text:
        _put(line, "log.level", record.severity_text)
    event: dict[str, object] = {"created": observed, "dataset": record.format}
    if record.severity_number is not None:
        event["severity"] = record.severity_number
    if record.original is not None:
        event["original"] = record.original
    line["event"] = event
    labels: dict[str, str] = {}
    label = partial(_label, labels, {})
    for values in (record.attributes, record.resource):
        for key, value in values.items():
            target = RENAMED.get(key)
            fits = target is not None and not target.startswith("labels.") and _fits(target, value)
            if target is None or not fits or not _put(line, target, _single(value)):
                label(key, value)
    if record.trace_id:
        line["trace"] = {"id": record.trace_id}
    if record.span_id:
        line["span"] = {"id": record.span_id}
    if record.trace_flags:
        label("trace_flags", record.trace_flags)
    if record.error:
        label("parse_error", record.error)
    if record.truncated:
        label("log_truncated", True)
    assumed = OBSERVED if stamp is None else stamp.assumed
    if assumed:
        label("timestamp_assumed", assumed)
    if labels:
        line["labels"] = labels
    return _encode(line) + b"\n"


def _fits(target: str, value: object) -> bool:
    return type(_single(value)) is (int if target in INTEGERS else str)


def _single(value: object) -> object:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _put(line: dict[str, object], path: str, value: object) -> bool:
    """False where another value is already."""
    *parents, last = path.split(".")
    at = line
    for name in parents:
        inner = at.setdefault(name, {})
        assert isinstance(inner, dict)  # no path in RENAMED goes through a leaf of another one
        at = inner
    if last in at:
        return False
    at[last] = value
    return True


def _label(labels: dict[str, str], tried: dict[str, int], key: str, value: object) -> None:
    """Keys without dots (ECS, `labels`); of those that become alike the later ones get another name (`unique`)."""
    name = key.removeprefix(OWN_PREFIX).replace(".", "_") or key.replace(".", "_")
    labels[unique(name, labels, tried)] = value if isinstance(value, str) else _encode(value).decode()
