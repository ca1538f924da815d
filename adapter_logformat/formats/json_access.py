"""Access logs written as JSON: Caddy, Traefik, Echo, and nginx with a `log_format` of its variables.

`json_app` knows them by their keys; `json_server.build` asks them. What a shape does not name stays the app's own.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapter_logformat.formats import json_app
from adapter_logformat.formats.access import put_request
from adapter_logformat.formats.json_server import put_level, take_text, take_time, take_values
from adapter_logformat.grammar import is_number
from adapter_logformat.record import Record
from adapter_logformat.severity import WORDS, of_status
from adapter_logformat.timestamps import Times

Fields = dict[str, Any]
_NGINX_TIMES: Final[tuple[str, ...]] = ("time_iso8601", "time_local", "msec", "@timestamp", "timestamp", "time", "ts")


def _exchange(record: Record, status: object, seconds: float | None) -> None:
    if type(status) is not int:
        raise TypeError("no status")
    if status:
        record.attributes["http.response.status_code"] = status
        if record.severity_text is None:
            record.severity_number = of_status(status)
    if seconds is not None and not math.isfinite(seconds):
        raise ValueError("no duration")
    if seconds is not None:
        record.attributes["http.server.request.duration"] = seconds


def caddy(record: Record, left: Fields, times: Times) -> None:
    request = dict(left.pop("request"))
    take_time(record, left.pop("ts"), times)
    put_level(record, left.pop("level"), WORDS)
    method, target, proto = (take_text(request.pop(key)) for key in ("method", "uri", "proto"))
    record.body = f"{method} {target} {proto}"
    put_request(record.body, record.attributes)
    _exchange(record, left.pop("status"), float(left.pop("duration")))
    client = request.pop("client_ip", None) or request.get("remote_ip")
    if isinstance(client, str):
        record.attributes["client.address"] = client
    port = request.pop("remote_port", "")
    if isinstance(port, str) and is_number(port, 5):
        record.attributes["client.port"] = int(port)
    request.pop("remote_ip", None)
    host = request.pop("host", "")
    if isinstance(host, str) and host:
        name, colon, number = host.rpartition(":")
        split = bool(colon) and is_number(number, 5) and not name.endswith(":")
        record.attributes["server.address"] = (name if split else host).strip("[]")
        if split:
            record.attributes["server.port"] = int(number)
    headers = request.get("headers")
    if isinstance(headers, dict):
        agent = headers.get("User-Agent")
        if isinstance(agent, list) and len(agent) == 1 and isinstance(agent[0], str):
            record.attributes["user_agent.original"] = agent[0]
        referer = headers.get("Referer")
        if isinstance(referer, list):
            record.attributes["http.request.header.referer"] = referer
    for key, name in (("size", "http.response.body.size"), ("bytes_read", "http.request.body.size")):
        if type(left.get(key)) is int:
            record.attributes[name] = left.pop(key)
    take_values(record, left, {"logger": "otel.scope.name", "user_id": "user.name"})
    if left.get("user_id") == "":
        del left["user_id"]
    if request:
        left["request"] = request


def traefik(record: Record, left: Fields, times: Times) -> None:
    take_time(record, left.pop("time", None) or left.pop("StartUTC"), times)
    if isinstance(left.get("level"), str):
        put_level(record, left.pop("level"), WORDS)
    if left.get("msg") == "":
        del left["msg"]
    method, target, proto = (take_text(left.pop(key)) for key in ("RequestMethod", "RequestPath", "RequestProtocol"))
    record.body = f"{method} {target} {proto}"
    put_request(record.body, record.attributes)
    took = left.pop("Duration", None)
    _exchange(record, left.pop("DownstreamStatus"), took / 1e9 if type(took) is int else None)
    names = {
        "ClientHost": "client.address",
        "RequestHost": "server.address",
        "request_User-Agent": "user_agent.original",
    }
    take_values(record, left, names)
    if left.get("ClientUsername") == "-":
        del left["ClientUsername"]
    take_values(record, left, {"ClientUsername": "user.name"})
    for key, name in (("ClientPort", "client.port"), ("RequestPort", "server.port")):
        if isinstance(left.get(key), str) and is_number(left[key], 5):
            record.attributes[name] = int(left.pop(key))
    if type(left.get("DownstreamContentSize")) is int:
        record.attributes["http.response.body.size"] = left.pop("DownstreamContentSize")


def echo(record: Record, left: Fields, times: Times) -> None:
    """Echo's `middleware.Logger`: the latency is in nanoseconds."""
    take_time(record, left.pop("time"), times)
    method, target = take_text(left.pop("method")), take_text(left.pop("uri"))
    record.body = f"{method} {target}"
    put_request(record.body, record.attributes)
    took = left.get("latency")
    _exchange(record, left.pop("status"), took / 1e9 if type(took) is int else None)
    if type(took) is int:
        left.pop("latency")
        left.pop("latency_human")
    take_values(record, left, {
        "remote_ip": "client.address", "host": "server.address", "user_agent": "user_agent.original",
        "error": "exception.message",
    })  # fmt: skip
    for key, name in (("bytes_in", "http.request.body.size"), ("bytes_out", "http.response.body.size")):
        _take_number(record, left, key, name)
    for key in ("id", "error"):
        if left.get(key) == "":
            del left[key]


def nginx(record: Record, left: Fields, times: Times) -> None:
    """Every value may be a text; `-` and an empty one mean none."""
    key = next((key for key in _NGINX_TIMES if key in left), None)
    stamp = json_app.moment(left[key], times) if key is not None else None
    if key is not None and stamp is not None:
        record.timestamp = stamp
        del left[key]
    status = left.pop("status")
    _exchange(record, int(status) if isinstance(status, str) else status, None)
    request = left.pop("request", None)
    if request is None:
        parts = [
            take_text(left.pop(key)) for key in ("request_method", "request_uri", "server_protocol") if key in left
        ]
        request = " ".join(parts)
    record.body = take_text(request)
    put_request(record.body, record.attributes)
    for key in ("remote_user", "http_referer", "http_referrer", "http_user_agent", "http_x_forwarded_for"):
        if left.get(key) in ("", "-"):
            del left[key]
    take_values(record, left, {
        "remote_addr": "client.address", "remote_user": "user.name", "http_user_agent": "user_agent.original",
        "host": "server.address", "http_host": "server.address", "server_name": "server.address",
    })  # fmt: skip
    for key, name in (
        ("http_referer", "referer"), ("http_referrer", "referer"), ("http_x_forwarded_for", "x-forwarded-for"),
    ):  # fmt: skip
        if isinstance(left.get(key), str):
            record.attributes[f"http.request.header.{name}"] = [left.pop(key)]
    _take_number(record, left, "body_bytes_sent", "http.response.body.size")
    _take_number(record, left, "bytes_sent", "http.response.size")
    took = left.get("request_time")
    if isinstance(took, str | float | int) and not isinstance(took, bool) and math.isfinite(float(took)):
        record.attributes["http.server.request.duration"] = float(took)
        del left["request_time"]


def _take_number(record: Record, left: Fields, key: str, name: str) -> None:
    value = left.get(key)
    if type(value) is int or (isinstance(value, str) and is_number(value)):
        record.attributes[name] = int(left.pop(key))


BUILDERS: Final[Mapping[str, Callable[[Record, Fields, Times], None]]] = {
    "caddy": caddy, "traefik_json": traefik, "echo_json": echo, "nginx_json": nginx,
}  # fmt: skip
