"""A line that has a format's grammar and a value that nothing can be made of: it is read, and no byte of it is lost."""

import json
from typing import Any

import pytest

from adapter_logformat.pipeline import Options, Stream

NOW = 1_795_161_060_000_000_000  # 2026-11-20T07:51:00Z
MANY = "9" * 4400
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ENVOY = (
    '[2026-11-20T08:51:00.310Z] "GET / HTTP/1.1" 200 - 0 5 2 1 "192.0.2.28" "curl/8" "cc21d9b0" "host:²" "192.0.2.1:80"'
)
CADDY = (
    '{"level":"info","ts":1795161060.5,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":'
    '"192.0.2.1","remote_port":"5000","proto":"HTTP/2.0","method":"GET","host":"a","uri":"/"},"duration":%s,"size":5,'
    '"status":200}'
)
TRAEFIK = (
    '{"ClientHost":"192.0.2.1","DownstreamStatus":200,"Duration":%s,"RequestMethod":"GET","RequestPath":"/",'
    '"RequestProtocol":"HTTP/1.1","StartUTC":"2026-11-20T07:51:00Z","RequestHost":"a","OriginStatus":200,'
    '"DownstreamContentSize":5,"level":"info","msg":"","time":"2026-11-20T07:51:00Z"}'
)
NGINX = (
    '{"time_iso8601":"2026-11-20T07:51:00+00:00","remote_addr":"192.0.2.1","request":"GET / HTTP/1.1","status":"200",'
    '"body_bytes_sent":"5","request_time":"nan"}'
)
CSV = "2026-11-20 08:51:00.123 UTC,,,²,,,1,,2026-11-20 08:50:00 UTC,,0,LOG,00000,up,,,,,,,,,,,,0"


def read(line: str) -> dict[str, Any]:
    """The one record of a line, its attributes and resource beside its own members."""
    stream = Stream(Options())
    written = stream.feed(line.encode() + b"\n", NOW) + stream.flush(NOW)
    (record,) = [json.loads(each) for each in written.splitlines()]
    return {**record, **record.pop("attributes", {}), **record.pop("resource", {})}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('date="2026-11-20 time=08:51:00" a=1 b=2 c=3 d=4', {"app.a": "1", "app.d": "4"}),
        ("date=2026-13-45 time=08:51:00 a=1 b=2 c=3",
         {"log.format": "firewall_pairs", "parse.error": "time", "app.time": "2026-13-45 08:51:00"}),
        ('date=2026-11-20 time=08:51:00 tz="+9999" b=2 c=3',
         {"parse.error": "time", "app.time": "2026-11-20 08:51:00"}),
        ("Nov 20 08:51:00 host app[²]: msg", {"syslog.procid": "²", "body": "msg"}),
        ("<34>Nov 20 08:51:00 host ²: Nov 20 08:51:01 UTC: %SYS-5-CONFIG_I: x", {"syslog.appname": "²"}),
        ("<34>Nov 20 08:51:00 host 12[5]: Nov 20 08:51:01 UTC: %SYS-5-CONFIG_I: x",
         {"syslog.appname": "12", "process.pid": 5}),
        ("[Fri Nov 20 08:51:00.123456 2026] [core:error] [pid 35708:tid 4328636416] [client a:²] AH00126: x",
         {"client.address": "a:²"}),
        (ENVOY, {"server.address": "host:²"}),
        ("2026-11-20 08:51:00.123 UTC pid=² LOG:  up", {"body": "up"}),
        (CSV, {}),
        ("2026-11-20 08:51:00 | ² | INFO | x", {"severity_text": "INFO"}),
        (CADDY % ("1" + "0" * 400), {"app.status": 200}),
        (CADDY % '"nan"', {"app.duration": "nan"}),
        (TRAEFIK % ("1" + "0" * 400), {"app.DownstreamStatus": 200}),
        (f'192.0.2.1 - - [20/Nov/2026:08:51:00 +0000] "GET / HTTP/1.1" 200 {MANY}', {}),
        (NGINX, {"log.format": "nginx_json", "app.request_time": "nan"}),
        ('{"time":{"seconds":1795161060,"nanos":-5},"msg":"x"}',
         {"body": "x", "parse.error": "time", "app.time": {"seconds": 1795161060, "nanos": -5}}),
        ("I, [2026-11-20T08:51:00.123456 #1234]  INFO -- shop: method=GET path=/x status=200 service=shop "
         f"hostname=h1 time=2026-11-20T08:50:59Z trace_id={TRACE}",
         {"service.name": "shop", "host.name": "h1", "trace_id": TRACE, "timestamp": "2026-11-20T08:50:59Z"}),
        ("I, [2026-11-20T08:51:00.123456 #1234]  INFO -- shop: method=GET path=/x status=200 level=warn",
         {"severity_text": "INFO", "body": "method=GET path=/x status=200 level=warn"}),
        ("LEEF:2.0|Lancope|StealthWatch|1.0|41|^|src=192.0.2.1^device_vendor=evil",
         {"app.device_vendor": "Lancope", "app.extra": ["src=192.0.2.1^device_vendor=evil"]}),
        ("CEF:0|Security|threatmanager|1.0|100|stopped|10|src=192.0.2.1 device_vendor=x",
         {"app.device_vendor": "Security", "app.extra": ["src=192.0.2.1 device_vendor=x"]}),
        ("time=2026-11-20T08:51:00Z level=info msg=x pathname=/a.py caller=main.go:12",
         {"code.file.path": "/a.py", "app.caller": "main.go:12"}),
        ("# Time: 2026-11-20T08:51:00.123456Z\n# Query_time: 2.1 hello world  Lock_time: abc\nSELECT 1;",
         {"app.comment": "Query_time: 2.1 hello world  Lock_time: abc", "body": "SELECT 1;"}),
        ('{"severity":"INFO","timestampSeconds":1700000000,"message":"a"}',
         {"log.format": "google_cloud", "body": "a", "parse.error": None, "app.timestampSeconds": 1700000000}),
        ('{"severity":"INFO","timestampSeconds":"1700000000","timestampNanos":5,"message":"a"}',
         {"parse.error": None, "app.timestampSeconds": "1700000000", "app.timestampNanos": 5}),
        ('{"severity":"INFO","timestampSeconds":1700000000,"timestampNanos":5,"timestamp":"2026-11-20T08:51:00Z"}',
         {"timestamp": "2026-11-20T08:51:00Z", "app.timestampSeconds": 1700000000, "app.timestampNanos": 5}),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_kept(line: str, told: dict[str, object]) -> None:
    record = read(line)
    assert {key: record.get(key) for key in told} == told


def test_of_more_pairs_than_are_told_apart_the_text_is_kept() -> None:
    pairs = " ".join(f"k{at}=v" for at in range(600))
    record = read(f"CEF:0|Security|threatmanager|1.0|100|stopped|10|{pairs}")
    assert record["app.k511"] == "v"
    assert "app.k512" not in record
    assert record["app.extra"] == [pairs]
