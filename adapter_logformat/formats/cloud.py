"""AWS: Application, Network and classic load balancer, S3 server access. Fields get appended over the years,
so the end is open.
"""

from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats.access import extras, put_request
from adapter_logformat.grammar import CLF, NOTHING, Layout, iso_time, parts_time
from adapter_logformat.record import Record
from adapter_logformat.severity import of_status

_TIME: Final = r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}+))?(?P<zone>Z)"
_QUOTED: Final = r'(?:[^"\\]++|\\.){0,9999}+'
_TOOK: Final = r"-?\d{1,9}+(?:\.\d{1,9}+)?"
_BALANCER: Final = (
    r"(?P<client>[^ ]{1,100}?):(?P<port>\d{1,5}+) (?P<target>[^ ]++) "
    rf"(?P<took1>{_TOOK}) (?P<took2>{_TOOK}) (?P<took3>{_TOOK}) (?P<status>\d{{3}}|-) (?P<target_status>\d{{3}}|-) "
    rf'(?P<received>\d{{1,18}}+) (?P<sent>\d{{1,18}}+) "(?P<body>{_QUOTED})"'
    rf'(?: "(?P<agent>{_QUOTED})" (?P<cipher>[^ ]++) (?P<protocol>[^ ]++))?'
)
_FIELDS: Final = {
    "client": ("client.address", str), "port": ("client.port", int), "target": ("app.target", str),
    "status": ("http.response.status_code", int), "target_status": ("app.target_status_code", int),
    "received": ("http.request.size", int), "sent": ("http.response.size", int), "agent": ("user_agent.original", str),
    "cipher": ("tls.cipher", str), "protocol": ("app.tls_protocol", str),
}  # fmt: skip
_ALB_TAIL: Final = ("target_group_arn", "trace_id", "domain_name", "chosen_cert_arn", "matched_rule_priority",
                    "request_creation_time", "actions_executed", "redirect_url", "error_reason", "target_port_list",
                    "target_status_code_list", "classification", "classification_reason",
                    "conn_trace_id")  # fmt: skip
_NLB_TAIL: Final = ("incoming_tls_alert", "chosen_cert_arn", "chosen_cert_serial", "tls_cipher", "tls_protocol",
                    "tls_named_group", "domain_name", "alpn_fe_protocol", "alpn_be_protocol",
                    "alpn_client_preference_list", "tls_connection_creation_time")  # fmt: skip
_S3_TAIL: Final = ("version_id", "host_id", "signature_version", "cipher_suite", "authentication_type", "host_header",
                   "tls_version", "access_point_arn", "acl_required")  # fmt: skip


def _balancer(record: Record, found: Mapping[str, str | None]) -> bool:
    attributes = record.attributes
    put_request(record.body or "", attributes)
    attributes["client.address"] = (found["client"] or "").strip("[]")
    if found["status"] != "-":
        record.severity_number = of_status(int(found["status"] or 0))
    times = [found[f"took{at}"] or "-1" for at in (1, 2, 3)]
    if not any(took.startswith("-") for took in times):
        attributes["http.server.request.duration"] = round(sum(map(float, times)), 6)
    if found.get("tail"):
        _tail(attributes, found["tail"] or "", _ALB_TAIL if record.format == "aws_alb" else ())
    return True


def _network(record: Record, found: Mapping[str, str | None]) -> bool:
    record.attributes["client.address"] = (found["client"] or "").strip("[]")
    _tail(record.attributes, (found["tail"] or "").replace('","', ","), _NLB_TAIL)
    return True


def _s3(record: Record, found: Mapping[str, str | None]) -> bool:
    attributes = record.attributes
    request = found["request"]
    if request not in (None, "-"):
        put_request(request or "", attributes)
    record.body = request if request not in (None, "-") else found["operation"]
    if found["status"] != "-":
        record.severity_number = of_status(int(found["status"] or 0))
    if found["took"] != "-":
        attributes["http.server.request.duration"] = int(found["took"] or 0) / 1000
    _tail(attributes, found["tail"] or "", _S3_TAIL)
    return True


def _tail(attributes: dict[str, object], text: str, names: tuple[str, ...]) -> None:
    values = extras(text)
    for name, value in zip(names, values, strict=False):
        if value != "-":
            attributes[f"app.{name}"] = value
    if len(values) > len(names):
        attributes["app.extra"] = values[len(names) :]


LAYOUTS: Final = (
    Layout(
        name="aws_alb",
        title="AWS Application Load Balancer",
        rank=88,
        pattern=rf"(?P<type>https?|h2|grpcs|wss?) {_TIME} (?P<balancer>[^ ]++) {_BALANCER}(?P<tail>(?: .*)?)",
        sample="http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.0.2.39:2817 192.0.2.1:80"
        " 0.000 "
        '0.001 0.000 200 200 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - arn:aws:x'
        ' "Root=1-58337262" '
        '"-" "-" 0 2018-07-02T22:22:48.364000Z "forward" "-" "-" "192.0.2.1:80" "200" "-" "-"',
        scale={},
        fields={**_FIELDS, "type": ("app.type", str), "balancer": ("app.load_balancer", str)},
        time=iso_time,
        absent=NOTHING,
        finish=_balancer,
    ),
    Layout(
        name="aws_elb",
        title="AWS classic load balancer",
        rank=88,
        pattern=rf"{_TIME} (?P<balancer>[^ ]++) {_BALANCER}(?P<tail>(?: .*)?)",
        sample="2015-05-13T23:39:43.945958Z my-loadbalancer 192.0.2.39:2817 192.0.2.1:80 0.000073 0.001048"
        " 0.000057 200 200 "
        '0 29 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -',
        scale={},
        fields={**_FIELDS, "balancer": ("app.load_balancer", str)},
        time=iso_time,
        absent=NOTHING,
        finish=_balancer,
    ),
    Layout(
        name="aws_nlb",
        title="AWS Network Load Balancer (TLS listeners)",
        rank=88,
        pattern=r"(?P<body>(?P<type>tls) (?P<version>\d\.\d) (?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)"
        r"(?:\.(?P<fraction>\d{1,9}+))?(?P<zone>Z)? (?P<balancer>[^ ]++) (?P<listener>[^ ]++) "
        r"(?P<client>[^ ]{1,100}?):(?P<port>\d{1,5}+) (?P<target>[^ ]++) (?P<took>\d{1,9}+|-) "
        r"(?P<handshake>\d{1,9}+|-) (?P<received>\d{1,18}+|-) (?P<sent>\d{1,18}+|-)(?P<tail>(?: .*)?))",
        sample="tls 2.0 2026-11-20T08:51:00 net/my-loadbalancer/c6e77e28c25b2234 g3d4b5e8bb8464cd 192.0.2.7:51341"
        " 192.0.2.1:443 5 2 98 246 - arn:aws:acm:x - ECDHE-RSA-AES128-SHA tlsv12 - www.example.com",
        scale={},
        fields={
            "type": ("app.type", str),
            "balancer": ("app.load_balancer", str),
            "listener": ("app.listener", str),
            "client": ("client.address", str),
            "port": ("client.port", int),
            "target": ("app.target", str),
            "took": ("app.connection_time_ms", int),
            "handshake": ("app.tls_handshake_time_ms", int),
            "received": ("app.received_bytes", int),
            "sent": ("app.sent_bytes", int),
        },
        time=lambda times, found: times.iso(found["second"] or "", found["fraction"], "Z"),
        absent=NOTHING,
        finish=_network,
    ),
    Layout(
        name="aws_s3",
        title="AWS S3 server access log",
        rank=88,
        pattern=rf"(?P<owner>[0-9a-f]{{1,64}}+|-) (?P<bucket>[^ ]++) \[{CLF}\] (?P<client>[^ ]++) "
        r"(?P<requester>[^ ]++) "
        r"(?P<id>[^ ]++) (?P<operation>[^ ]++) (?P<key>[^ ]++) "
        r'(?:"(?P<request>(?:[^"]++|"(?! (?:\d{3}|-) )){0,9999}+)"|-) '
        r"(?P<status>\d{3}|-) (?P<error>[^ ]++) (?P<sent>\d{1,18}+|-) (?P<size>\d{1,18}+|-) (?P<took>\d{1,15}+|-) "
        r'(?P<turnaround>\d{1,15}+|-) (?:"(?P<referer>[^"]*+)"|-) '
        r'(?:"(?P<agent>(?:[^"]++|"(?! |$)){0,9999}+)"|-)(?P<tail>(?:'
        r" .*)?)",
        sample="79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be examplebucket"
        " [06/Feb/2019:00:00:38 +0000] "
        '192.0.2.3 - 3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /examplebucket?versioning HTTP/1.1" 200 - 113 - 7'
        ' - "-" '
        '"S3Console/0.4" - s9lzHYrFp= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader examplebucket.s3.example.com'
        " TLSV1.2 - -",
        scale={},
        fields={
            "owner": ("app.bucket_owner", str),
            "bucket": ("aws.s3.bucket", str),
            "client": ("client.address", str),
            "requester": ("user.name", str),
            "id": ("aws.request_id", str),
            "operation": ("app.operation", str),
            "key": ("aws.s3.key", str),
            "status": ("http.response.status_code", int),
            "error": ("error.type", str),
            "sent": ("http.response.body.size", int),
            "size": ("app.object_size", int),
            "turnaround": ("app.turnaround_ms", int),
            "agent": ("user_agent.original", str),
        },
        time=parts_time,
        absent=NOTHING,
        finish=_s3,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
