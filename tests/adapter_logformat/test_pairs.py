"""What stands behind or before a message (pairs, JSON, metadata) is opened where all of it can be told, and else stays
where it can be read: nothing that a line says is lost.
"""

import json
from typing import Any

import pytest

from adapter_logformat.formats import pairs
from adapter_logformat.pipeline import Options, Stream

NOW = 1_795_161_060_000_000_000
ZAP = "2026-11-20T08:51:00.123Z\tINFO\tshop\tadded\t"
MONOLOG = "[2026-11-20T08:51:00.123456+00:00] app.ERROR: U "
KLOG = 'I1120 08:51:00.123456       1 a.go:1] "x" '
ZEROLOG = "2026-11-20T08:51:00Z INF listening "
TIDB = '[2026/11/20 08:51:00.123 +00:00] [INFO] [server.go:12] ["is up"] '
EMQX = "2026-11-20T08:51:00.123456+00:00 [info] "
SLOG = "Nov 20 08:51:00.123 INFO added, "
PHP = "[20-Nov-2026 08:51:00 UTC] PHP Warning:  "


def told(line: str) -> tuple[str, dict[str, Any]]:
    stream = Stream(Options())
    record = json.loads(stream.feed(line.encode() + b"\n", NOW) + stream.flush(NOW))
    return record["body"], record.get("attributes", {})


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (r'info: x {"a":"\ud800"}', "app.a", "\ufffd"),
        (ZAP + r'{"a":"\ud800"}', "app.a", "\ufffd"),
        (MONOLOG + r'{"order":"\ud800"} []', "app.order", "\ufffd"),
        (KLOG + r'a="\ud800"', "app.a", r"\ud800"),
        (KLOG + r'a="\ud83d\ude00\U0001f600"', "app.a", "😀😀"),
        (ZEROLOG + r'c="a\u0040b\x1b\x00\u0000\d\"\\"', "app.c", 'a@b\x1b\\x00\\u0000\\d"\\'),
        (r'level=info msg="x" c="a\u0040b\x00"', "app.c", "a@b\\x00"),
        ("08:51:00.123 crash={a,[b]} [info] GET /items", "app.metadata", "crash={a,[b]}"),
        ("08:51:00.123 crash={a,[b]} x=1 [info] GET /items", "app.metadata", "crash={a,[b]} x=1"),
        ("08:51:00.123 a=1 a=2 [info] GET /items", "app.metadata", "a=1 a=2"),
        ('2026-11-20T08:51:00+0000 info com.example.App : a=b"c [App] added', "app.metadata", 'a=b"c'),
        ("2026-11-20T08:51:00.123Z pid=12 tid=abc x={a,[b]} y=1 INFO: done", "app.context", "x={a,[b]} y=1"),
        (PHP + "a in /b in /srv/a in b.php on line 3", "code.file.path", "/srv/a in b.php"),
        (MONOLOG + r'{"exception":"[object] (A\\B(code: 0): x at /y at /z.php:3)"} []', "exception.message", "x at /y"),
    ],
)
def test_what_is_opened(line: str, name: str, value: str) -> None:
    assert told(line)[1][name] == value


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ('info: x {"a":NaN}', 'x {"a":NaN}'),
        ('info: x {"a":[1e999]}', 'x {"a":[1e999]}'),
        (ZAP + '{"a":-Infinity}', 'added\t{"a":-Infinity}'),
        (MONOLOG + '{"order":1e999}', 'U {"order":1e999}'),
        (MONOLOG + '{"order":1} {"order":2}', 'U {"order":1} {"order":2}'),
        (KLOG + "a=1 a=2", '"x" a=1 a=2'),
        (ZEROLOG + "a=1 a=2 err=x", "listening a=1 a=2 err=x"),
        (ZEROLOG + "err=x error=y", "listening err=x error=y"),
        (TIDB + "[a=1] [a=2]", "is up [a=1] [a=2]"),
        (TIDB + "[a=1] " + "[b=2] " * pairs.MOST, "is up [a=1] " + "[b=2] " * pairs.MOST),
        (EMQX + "msg: started, x: 1, x: 2", "msg: started, x: 1, x: 2"),
        (EMQX + "msg: started, pid: <0.1.2>, process: x", "msg: started, pid: <0.1.2>, process: x"),
        (SLOG + "item: 7, item: 8", "added, item: 7, item: 8"),
        ("2026-11-20T08:51:00Z error app: user=bob failed login", "error app: user=bob failed login"),
    ],
)
def test_what_stays_in_the_body(line: str, body: str) -> None:
    said, attributes = told(line)
    assert said.rstrip() == body.rstrip()
    assert not any(name.startswith(("app.", "exception.")) for name in attributes)
