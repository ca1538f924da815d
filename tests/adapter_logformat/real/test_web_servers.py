"""nginx, Apache httpd and HAProxy with ordinary and hostile requests: every field against what the client did."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.adapter_logformat.real.servers import Record, Servers, exchange, free_port, listens, program, read, wait

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
REQUESTS: dict[str, bytes] = {
    "plain": b"GET /a?b=1 HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: curl/8\r\nConnection: close\r\n\r\n",
    "missing": b"GET /none HTTP/1.0\r\n\r\n",
    "referer": b"GET /a HTTP/1.0\r\nReferer: https://example.com/x y\r\n\r\n",
    "quote": b'GET /a HTTP/1.0\r\nUser-Agent: a "quoted" \\ agent\r\n\r\n',
    "escape": b"GET /a HTTP/1.0\r\nUser-Agent: x\\x22y\r\n\r\n",
    "utf8": "GET /a HTTP/1.0\r\nUser-Agent: gr\u00fc\u00df\r\n\r\n".encode(),
    "head": b"HEAD /a HTTP/1.0\r\n\r\n",
    "options": b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "tls": HELLO + b"\r\n\r\n",
    "space": b"GET /a b HTTP/1.0\r\n\r\n",
    "old": b"GET /a\r\n",
    "nonsense": b"\x01\x02 nothing\r\n\r\n",
    "user": b"GET /a HTTP/1.0\r\nAuthorization: Basic am9obiBzbWl0aDp4\r\n\r\n",  # "john smith:x"
    "empty": b"\r\n\r\n",
}


def agent(record: Record) -> Any:
    return record["attributes"].get("user_agent.original")


def check_requests(records: list[Record]) -> None:
    """One record a request that was answered, in their order, known by what only it has."""
    attributes = [record["attributes"] for record in records]
    assert all(each["client.address"] == "127.0.0.1" for each in attributes)
    assert all(record["log.format"] == "combined" and "parse.error" not in record for record in records)
    plain = next(record for record in records if agent(record) == "curl/8")
    assert plain["attributes"] | {"http.response.body.size": 0} == {
        "client.address": "127.0.0.1", "http.request.method": "GET", "url.path": "/a", "url.query": "b=1",
        "network.protocol.name": "http", "network.protocol.version": "1.1", "http.response.status_code": 200,
        "http.response.body.size": 0, "user_agent.original": "curl/8",
    }  # fmt: skip
    assert plain["attributes"]["http.response.body.size"] == 6
    missing = next(each for each in attributes if each.get("url.path") == "/none")
    assert missing["http.response.status_code"] == 404
    assert any(each.get("http.request.header.referer") == ["https://example.com/x y"] for each in attributes)
    agents = {agent(record) for record in records}
    assert {'a "quoted" \\ agent', "gr\u00fc\u00df"} <= agents
    assert "x\\x22y" in agents
    head = next(each for each in attributes if each.get("http.request.method") == "HEAD")
    assert head["http.response.status_code"] == 200
    assert any(each.get("http.request.method") == "OPTIONS" for each in attributes)
    hello = next(record for record in records if record["body"].startswith("\\x16\\x03"))
    assert hello["attributes"]["http.response.status_code"] == 400
    assert "http.request.method" not in hello["attributes"]
    space = next(record for record in records if record["body"].startswith("GET /a b"))
    assert space["attributes"]["url.path"] == "/a b"
    assert any(each.get("user.name") == "john smith" for each in attributes)


def test_nginx(servers: Servers, place: Path) -> None:
    nginx = program("nginx", "nginx-light")
    port, tcp6 = free_port(), free_port()
    (place / "www").mkdir()
    (place / "www" / "a").write_text("hello\n")
    (place / "nginx.conf").write_text(f"""
        daemon off; master_process off; pid {place}/pid; error_log {place}/error.log info; events {{}}
        http {{
          access_log {place}/access.log combined; default_type text/plain;
          client_body_temp_path {place}/1; proxy_temp_path {place}/2; fastcgi_temp_path {place}/3;
          uwsgi_temp_path {place}/4; scgi_temp_path {place}/5;
          server {{
            listen 127.0.0.1:{port}; listen [::1]:{tcp6}; root {place}/www;
            location = /dead {{ proxy_pass http://127.0.0.1:1; proxy_ignore_client_abort on; }}
          }}
        }}""")
    server = servers.start([nginx, "-p", str(place), "-c", str(place / "nginx.conf")], place / "out")
    wait(lambda: listens(port), (place / "out").read_text())
    sent = [exchange(port, data) for data in REQUESTS.values()]
    exchange(port, b"GET /dead?x=1 HTTP/1.0\r\nHost: shop.example.com:8080\r\nReferer: https://e.example/\r\n\r\n")
    on_six = listens(tcp6, "::1")
    if on_six:
        exchange(tcp6, b"GET /a HTTP/1.0\r\nUser-Agent: six\r\n\r\n", "::1")
    last = '"six"' if on_six else "/dead"
    wait(lambda: last in (place / "access.log").read_text())
    servers.stop(server)
    records = read(place / "access.log")
    check_requests([each for each in records if agent(each) != "six" and each["attributes"].get("url.path") != "/dead"])
    answered = [answer for answer, _ in sent if answer]
    assert len(records) >= len(answered) + on_six
    if on_six:
        assert next(each for each in records if agent(each) == "six")["attributes"]["client.address"] == "::1"
    errors = read(place / "error.log")
    assert {record["log.format"] for record in errors} == {"nginx_error"}
    missing = next(record for record in errors if record["attributes"].get("url.path") == "/none")
    assert missing["severity_number"] == 17
    assert missing["body"] == f'open() "{place}/www/none" failed (2: No such file or directory)'
    assert missing["attributes"]["client.address"] == "127.0.0.1"
    dead = next(record for record in errors if record["attributes"].get("url.path") == "/dead")
    assert dead["body"] == "connect() failed (111: Connection refused) while connecting to upstream"
    assert dead["attributes"] | {"app.connection": 0, "process.pid": 0, "thread.id": 0} == {
        "process.pid": 0, "thread.id": 0, "app.connection": 0, "client.address": "127.0.0.1",
        "app.upstream": "http://127.0.0.1:1/dead?x=1", "app.request": "GET /dead?x=1 HTTP/1.0",
        "http.request.method": "GET", "url.path": "/dead", "url.query": "x=1", "network.protocol.name": "http",
        "network.protocol.version": "1.0", "server.address": "shop.example.com", "server.port": 8080,
        "http.request.header.referer": ["https://e.example/"],
    }  # fmt: skip
    assert dead["attributes"]["process.pid"] == server.pid


def test_apache(servers: Servers, place: Path) -> None:
    apache = program("apache2", "apache2")
    modules = Path("/usr/lib/apache2/modules")
    port = free_port()
    (place / "www").mkdir()
    (place / "www" / "a").write_text("hello\n")
    needed = ("mpm_event", "authz_core", "authn_core", "authz_user", "auth_basic", "authn_anon", "proxy", "proxy_http")
    loads = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in needed)
    account = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
    (place / "apache.conf").write_text(f"""
        ServerRoot {place}
        ServerName shop.example.com
        DefaultRuntimeDir {place}
        PidFile {place}/pid
        Mutex pthread
        {loads}{account}
        Listen 127.0.0.1:{port}
        DocumentRoot {place}/www
        LogLevel info
        ErrorLog {place}/error.log
        HttpProtocolOptions Unsafe
        LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
        CustomLog {place}/access.log combined
        LogFormat "%v:%p %h %l %u %t \\"%r\\" %>s %b \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\" %D" with_host
        CustomLog {place}/vhost.log with_host
        ProxyPass /dead http://127.0.0.1:1/
        <Location />
          AuthType Basic
          AuthName x
          AuthBasicProvider anon
          Anonymous *
          Anonymous_MustGiveEmail off
          Require all granted
        </Location>
        <Location /closed>
          Require valid-user
        </Location>""")
    server = servers.start([apache, "-f", str(place / "apache.conf"), "-D", "FOREGROUND"], place / "out")
    wait(lambda: listens(port), (place / "out").read_text())
    for data in REQUESTS.values():
        exchange(port, data)
    exchange(port, b"GET /closed HTTP/1.0\r\nAuthorization: Basic am9obiBzbWl0aDp4\r\n\r\n")
    _, own = exchange(port, b"GET /dead HTTP/1.0\r\nReferer: https://e.example/\r\n\r\n")
    wait(lambda: all("/dead" in (place / name).read_text() for name in ("access.log", "vhost.log")))
    servers.stop(server)
    records = [each for each in read(place / "access.log") if each["attributes"].get("url.path") != "/dead"]
    check_requests(records)
    with_host = read(place / "vhost.log")
    assert {record["log.format"] for record in with_host} == {"vhost_combined"}
    assert all(record["attributes"]["server.address"] == "shop.example.com" for record in with_host)
    assert all(record["attributes"]["app.extra"][0].isdigit() for record in with_host)
    errors = read(place / "error.log")
    assert {record["log.format"] for record in errors} == {"apache_error"}
    started = next(record for record in errors if "resuming normal operations" in record["body"])
    assert (started["severity_number"], started["attributes"]["app.module"]) == (10, "mpm_event")
    assert started["attributes"]["process.pid"] == server.pid
    dead = next(record for record in errors if record["attributes"].get("client.port") == own)
    assert dead["severity_number"] == 17
    assert dead["attributes"]["client.address"] == "127.0.0.1"
    assert dead["attributes"]["http.request.header.referer"] == ["https://e.example/"]
    assert "referer" not in dead["body"]


@pytest.mark.parametrize("log_format", ["raw", "rfc5424", "rfc3164"])
def test_haproxy(servers: Servers, place: Path, log_format: str) -> None:
    haproxy = program("haproxy", "haproxy")
    port, tcp, origin = free_port(), free_port(), socket.create_server(("127.0.0.1", 0))
    (place / "haproxy.cfg").write_text(f"""
global
  log stdout format {log_format} local0
defaults
  log global
  timeout connect 10s
  timeout client 30s
  timeout server 2s
  retries 1
frontend web
  mode http
  option httplog
  capture request header Host len 40
  capture request header User-Agent len 40
  bind 127.0.0.1:{port}
  http-request return status 200 content-type text/plain string hello if {{ path /a }}
  default_backend dead
backend dead
  mode http
  server one 127.0.0.1:1
listen plain
  mode tcp
  option tcplog
  bind 127.0.0.1:{tcp}
  server origin 127.0.0.1:{origin.getsockname()[1]}
""")
    server = servers.start([haproxy, "-db", "-f", str(place / "haproxy.cfg")], place / "out")
    wait(lambda: listens(port), (place / "out").read_text())
    _, first = exchange(
        port, b'GET /a?x="1" HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: c\r\nConnection: close\r\n\r\n'
    )
    _, dead = exchange(port, b"POST /none HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
    _, bad = exchange(port, HELLO)
    _, own = exchange(tcp, b"")
    wait(lambda: all(f":{port} " in (place / "out").read_text() for port in (first, dead, bad, own)))
    servers.stop(server)
    origin.close()
    records = [each for each in read(place / "out") if each["log.format"].startswith("haproxy_")]
    by_port = {record["attributes"]["client.port"]: record for record in records}
    ok = by_port[first]
    told = ok["attributes"]
    assert (told["http.request.method"], told["url.path"], told["url.query"]) == ("GET", "/a", 'x="1"')
    assert (told["http.response.status_code"], told["app.frontend"], told["app.captures"]) == (
        200,
        "web",
        ["shop.example.com|c"],
    )
    assert told["app.server"] == "<NOSRV>"
    refused = by_port[dead]["attributes"]
    assert (refused["http.response.status_code"], refused["app.backend"], refused["app.server"]) == (503, "dead", "one")
    assert (refused["app.termination_state"], refused["app.retries"]) == ("SC--", 1)
    assert "app.time.connect_ms" not in refused
    broken = by_port[bad]
    assert (broken["body"], broken["attributes"]["http.response.status_code"]) == ("<BADREQ>", 400)
    stream = by_port[own]
    assert (stream["log.format"], stream["attributes"]["app.server"]) == ("haproxy_tcp", "origin")
    assert all(record["attributes"]["client.address"] == "127.0.0.1" for record in records)
    if log_format != "raw":
        assert all(record["attributes"]["syslog.appname"] == "haproxy" for record in records)
        assert all(record["attributes"]["process.pid"] == server.pid for record in records)
