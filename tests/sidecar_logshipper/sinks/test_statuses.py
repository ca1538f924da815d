"""Every status that is no verdict on a line, from each server to the real process: nothing is lost by any of them."""

# ruff: noqa: ASYNC240 (the files are local and small)

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..conftest import Start
from . import test_elasticsearch, test_loki, test_otlp, test_splunk_hec, test_victorialogs
from .conftest import Reply

RETRIED = [429, 502, 503, 504]
HELD = [301, 308, 401, 403, 404, 405, 406, 407, 411, 415]
ALSO_RETRIED = [408, 425, 500, 501, 599]

PROTOCOLS: dict[str, tuple[Callable[..., list[Any]], Callable[[Any], str], list[int]]] = {
    "loki": (test_loki.parse, lambda record: record[1], ALSO_RETRIED),
    "elasticsearch": (test_elasticsearch.parse, lambda record: json.dumps(record[1]["n"]), ALSO_RETRIED),
    "otlp": (test_otlp.parse, lambda record: record.body.string_value, []),
    "victorialogs": (test_victorialogs.parse, lambda record: json.dumps(record["n"]), ALSO_RETRIED),
    "splunk_hec": (test_splunk_hec.parse, lambda record: json.dumps(record["event"]["n"]), ALSO_RETRIED),
}


@pytest.mark.parametrize("kind", PROTOCOLS)
async def test_one_after_the_other(ship: Start, serve: Any, log: Path, tmp_path: Path, kind: str) -> None:
    parse, name, also_retried = PROTOCOLS[kind]
    server = await serve(parse)
    retried = RETRIED + also_retried
    script = iter([*retried, *HELD])

    def reply(records: list[Any]) -> Reply:
        if (status := next(script, None)) is not None:
            return Reply(status, b"not now", keeps=set(), headers={"Location": "/elsewhere"})
        if len(records) > 3:
            return Reply(413, b"too much", keeps=set())
        return Reply(200, b'{"errors":false}' if kind == "elasticsearch" else b"")

    server.reply = reply
    (tmp_path / "token").write_text("token")
    log.write_bytes(b"".join(b'{"n":%d}\n' % n for n in range(10)))
    token = {"token_file": f"{tmp_path}/token"} if kind == "splunk_hec" else {}
    url = f"{server.url}/?debug=0" if kind == "victorialogs" else server.url
    sink = {"type": kind, "url": url, "retry": {"initial": "1ms", "max": "2ms"}, **token}
    shipper = await ship(labels={"app": "web"}, sink=sink)
    found = [name(record) for record in await server.has(10)]
    assert [json.loads(each)["n"] if each.startswith("{") else int(each) for each in found] == list(range(10))
    metrics = await shipper.metrics_when(lambda metrics: metrics["logshipper_pending_lines"] == 0)
    assert metrics['logshipper_requests_total{action="retry"}'] == len(retried)
    assert metrics['logshipper_requests_total{action="hold"}'] == len(HELD)
    assert metrics['logshipper_requests_total{action="split"}'] > 0
    assert metrics["logshipper_acked_lines_total"] == 10
    told = [event["reason"] for event in shipper.of("sink_unavailable")]
    assert told == [f"http_{status}" for status in [*retried, *HELD]]
    assert await shipper.stop() == 0
    assert not (tmp_path / "state/dead.jsonl").exists()
