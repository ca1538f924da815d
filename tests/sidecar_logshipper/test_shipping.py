"""The real process, a real HTTP server, real files: what was written is what arrives."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import json
import socket
from collections import Counter
from pathlib import Path

from aiohttp import ClientSession, web

from .conftest import PATIENCE_S, LogServer, Start


def lines(first: int, last: int, width: int = 0) -> bytes:
    return b"".join(b'{"n":%d,"pad":"%s"}\n' % (number, b"x" * width) for number in range(first, last))


def numbers(arrived: list[bytes]) -> list[int]:
    return [json.loads(line)["n"] for line in arrived]


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def balanced(metrics: dict[str, float]) -> bool:
    return all(
        metrics[f"logshipper_read_{unit}_total"]
        == metrics[f"logshipper_acked_{unit}_total"]
        + metrics[f"logshipper_dead_lettered_{unit}_total"]
        + sum(value for name, value in metrics.items() if name.startswith(f"logshipper_dropped_{unit}_total"))
        + metrics[f"logshipper_pending_{unit}"]
        for unit in ("lines", "bytes")
    )


async def test_lines_arrive_as_they_are_written(ship: Start, server: LogServer, log: Path) -> None:
    log.write_bytes(b'{"n":0}\nplain text\n')
    shipper = await ship()
    assert await server.has(2) == [b'{"n":0}', b'{"message":"plain text"}']
    append(log, b'{"n":1}\n')
    assert (await server.has(3))[2] == b'{"n":1}'
    request = server.requests[0]
    assert request.query_string == "stream=app"
    assert request.headers["Content-Type"] == "application/x-ndjson"
    assert await shipper.stop() == 0
    assert len(server.lines) == 3


async def test_metadata_headers_credentials_and_compression(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("first\n")
    log.write_bytes(b'{"n":0}\n')
    shipper = await ship(
        labels={"app": "web"},
        pod={"name": "web-1"},
        sink={
            "compression": "gzip",
            "headers": {"X-Scope": "a"},
            "auth": {"bearer_token_file": f"{tmp_path}/token"},
        },
    )
    assert await server.has(1) == [b'{"app":"web","k8s.pod.name":"web-1","n":0}']
    assert server.requests[0].headers["X-Scope"] == "a"
    assert server.requests[0].headers["Authorization"] == "Bearer first"
    assert server.requests[0].headers["Content-Encoding"] == "gzip"
    (tmp_path / "token").write_text("second\n")
    append(log, b'{"n":1}\n')
    await server.has(2)
    assert server.requests[-1].headers["Authorization"] == "Bearer second"
    assert await shipper.stop() == 0


async def test_raw_lines_with_zstd(ship: Start, server: LogServer, log: Path) -> None:
    content = b"".join(b"line %d\n" % number for number in range(10_000))
    log.write_bytes(content)
    await ship(sink={"encoding": "raw", "compression": "zstd"})
    assert b"\n".join(await server.has(10_000)) + b"\n" == content


async def test_case_08_a_sink_that_is_down_is_waited_for(ship: Start, server: LogServer, log: Path) -> None:
    await server.stop()
    log.write_bytes(lines(0, 100))
    shipper = await ship()
    down = await shipper.event("sink_unavailable")
    assert down["reason"] == "connection_refused"
    metrics = await shipper.metrics()
    assert (metrics["logshipper_sink_up"], metrics["logshipper_pending_lines"]) == (0, 100)
    assert balanced(metrics)
    async with ClientSession() as session, session.get(f"http://{shipper.ops}/readyz") as ready:
        assert ready.status == 200  # a central server that is down must not restart pods
    await server.start()
    assert numbers(await server.has(100)) == list(range(100))
    assert (await shipper.event("sink_recovered"))["failed_tries"] >= 1
    assert len(shipper.of("sink_unavailable")) == 1
    await shipper.metrics_when(lambda now: now["logshipper_sink_up"] == 1)


async def test_files_that_come_and_are_rotated_while_the_budget_is_full_are_met(
    ship: Start, server: LogServer, log: Path
) -> None:
    await server.stop()
    log.write_bytes(lines(0, 1000))
    shipper = await ship(memory_budget="4KiB", sink={"batch": {"max_bytes": "4KiB"}})
    await shipper.event("sink_unavailable")
    late = log.with_name("late.log")
    late.write_bytes(lines(1000, 1010))
    await shipper.event("file_found", 2)
    late.rename(log.with_name("late.log.1"))
    await shipper.event("file_rotated")
    log.with_name("late.log.1").unlink()
    await server.start()
    assert sorted(numbers(await server.has(1010))) == list(range(1010))


async def test_case_08_errors_of_the_server_are_tried_again(ship: Start, server: LogServer, log: Path) -> None:
    answers = iter([500, 503, 429, 408])
    server.answer = lambda request, body: web.Response(status=next(answers, 200), headers={"Retry-After": "0"})
    log.write_bytes(lines(0, 10))
    shipper = await ship()
    assert numbers(await server.has(10)) == list(range(10))
    assert len(server.requests) == 5
    metrics = await shipper.metrics_when(lambda now: now['logshipper_requests_total{action="ack"}'] == 1)
    assert metrics['logshipper_requests_total{action="retry"}'] == 4


async def test_case_08_refused_credentials_hold_until_they_are_rotated(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("old")
    server.answer = lambda request, body: web.Response(
        status=200 if request.headers["Authorization"] == "Bearer new" else 401
    )
    log.write_bytes(lines(0, 10))
    shipper = await ship(
        sink={"auth": {"bearer_token_file": f"{tmp_path}/token"}, "retry": {"initial": "10ms", "max": "20ms"}}
    )
    assert (await shipper.event("sink_unavailable"))["action"] == "hold"
    (tmp_path / "token").unlink()
    assert (await shipper.event("sink_unavailable", 2))["reason"] == "credentials_unreadable"
    (tmp_path / "token").write_text("new")
    assert numbers(await server.has(10)) == list(range(10))
    assert shipper.of("record_dead_lettered") == []


async def test_credentials_that_are_not_there_yet_are_told_at_the_start_and_waited_for(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    shipper = await ship(sink={"auth": {"bearer_token_file": str(token)}, "retry": {"initial": "10ms", "max": "20ms"}})
    told = await shipper.event("credentials_unreadable")
    assert (told["setting"], told["file"], told["reason"]) == (
        "sink.auth.bearer_token_file",
        str(token),
        "No such file or directory",
    )
    token.write_text("new")
    log.write_bytes(lines(0, 1))
    await server.has(1)
    assert server.requests[-1].headers["Authorization"] == "Bearer new"


async def test_case_07_one_poisonous_line_is_found_and_set_aside(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    server.answer = lambda request, body: web.Response(status=400 if b'"n":37,' in body else 200, text="no 37 please")
    log.write_bytes(lines(0, 100))
    shipper = await ship()
    assert numbers(await server.has(99)) == [number for number in range(100) if number != 37]
    told = await shipper.event("record_dead_lettered")
    assert (told["path"], told["reason"]) == (str(log), "http_400")
    dead = json.loads((tmp_path / "state/dead.jsonl").read_text())
    assert json.loads(dead["line"])["n"] == 37
    assert (dead["answer"], dead["offset"]) == ("no 37 please", told["offset"])
    metrics = await shipper.metrics_when(lambda now: now["logshipper_dead_lettered_lines_total"] == 1)
    assert balanced(metrics)
    assert await shipper.stop() == 0


async def test_a_batch_too_large_for_the_sink_is_split(ship: Start, server: LogServer, log: Path) -> None:
    server.answer = lambda request, body: web.Response(status=413 if len(body) > 2000 else 200)
    log.write_bytes(lines(0, 1000))
    await ship()
    assert numbers(await server.has(1000)) == list(range(1000))


async def test_dropped_when_there_is_no_room_for_the_dead(ship: Start, server: LogServer, log: Path) -> None:
    server.answer = lambda request, body: web.Response(status=200 if body.startswith(b'{"n":3,') else 422)
    log.write_bytes(lines(0, 4))
    shipper = await ship(dead_letter={"max_bytes": 300})
    await shipper.event("record_dropped", 2)
    dropped = 'logshipper_dropped_lines_total{reason="dead_letter_full"}'
    metrics = await shipper.metrics_when(lambda now: now[dropped] == 2)
    assert metrics["logshipper_dead_lettered_lines_total"] == 1
    assert balanced(metrics)


async def test_killed_in_mid_stream_nothing_is_lost(ship: Start, server: LogServer, log: Path) -> None:
    total, batch = 20_000, 16 * 1024
    log.write_bytes(lines(0, total, width=50))
    for threshold in (1_000, 5_000, 9_000):
        shipper = await ship(sink={"batch": {"max_bytes": batch}, "in_flight": 2})
        await server.until(lambda server, enough=threshold: len(server.lines) >= enough)
        await shipper.kill()
    shipper = await ship(sink={"batch": {"max_bytes": batch}, "in_flight": 2})
    await server.until(lambda server: len({*numbers(server.lines[-2000:])} & {total - 1}) == 1)
    assert await shipper.stop() == 0
    times = Counter(numbers(server.lines))
    assert set(times) == set(range(total))
    assert shipper.of("file_found")[0]["resumed"]


async def test_sigterm_drains_the_unterminated_line_too(ship: Start, server: LogServer, log: Path) -> None:
    log.write_bytes(lines(0, 50_000))
    shipper = await ship()
    append(log, b'{"n":50000}\n{"n":50001}')
    assert await shipper.stop() == 0
    assert numbers(server.lines) == list(range(50_002))
    assert shipper.of("drain_incomplete") == []
    shipper = await ship()
    assert await shipper.stop() == 0
    assert len(server.lines) == 50_002


async def test_what_the_deadline_leaves_is_reported_and_sent_by_the_next(
    ship: Start, server: LogServer, log: Path
) -> None:
    server.answer = lambda request, body: web.Response(status=503)
    log.write_bytes(lines(0, 100))
    shipper = await ship(drain={"deadline": "200ms", "quiet": "0s"})
    await shipper.event("sink_unavailable")
    assert await shipper.stop() == 75
    left = shipper.of("drain_incomplete")[0]
    assert (left["read_lines"], left["bytes"]) == (100, log.stat().st_size)
    server.answer = lambda request, body: web.Response(status=204)
    shipper = await ship()
    assert numbers(await server.has(100)) == list(range(100))
    assert await shipper.stop() == 0


async def test_a_server_that_never_answers_does_not_hold_up_the_end(ship: Start, server: LogServer, log: Path) -> None:
    log.write_bytes(lines(0, 10))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shipper = await ship(
            sink={"url": f"http://127.0.0.1:{silent.getsockname()[1]}/", "timeout": "1h"},
            drain={"deadline": "100ms", "quiet": "0s"},
        )
        assert await shipper.stop() == 75


async def test_renamed_under_load_every_line_arrives_once_and_in_order(
    ship: Start, server: LogServer, log: Path
) -> None:
    log.write_bytes(b"")
    shipper = await ship(sink={"batch": {"max_bytes": 8192}})
    for round_ in range(20):
        for step in range(10):
            append(log, lines(round_ * 100 + step * 10, round_ * 100 + step * 10 + 10, width=30))
            await asyncio.sleep(0.002)
        await shipper.event("file_found", round_ + 1)  # a file between two looks has no name to be found by
        log.rename(log.with_name(f"app.log.{round_}"))
        log.write_bytes(b"")
    append(log, lines(2000, 2001))
    assert numbers(await server.has(2001)) == list(range(2001))
    assert await shipper.stop() == 0
    assert len(server.lines) == 2001
    assert len(shipper.of("file_rotated")) == 20


async def test_bad_settings_end_with_64_and_name_every_path(ship: Start, log: Path) -> None:
    shipper = await ship(ready=False, sink={"timeout": "soon", "compresion": "gzip"}, memory_budget="much")
    assert await shipper.status() == 64
    told = " ".join(shipper.of("settings_refused")[0]["mistakes"])
    assert "sink.timeout" in told
    assert "sink.compresion" in told
    assert "memory_budget" in told


async def test_a_port_in_use_ends_with_64_and_names_the_setting(ship: Start, log: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        shipper = await ship(ready=False, ops={"listen": f"127.0.0.1:{taken.getsockname()[1]}"})
        assert await shipper.status() == 64
    assert shipper.of("cannot_start")[0]["setting"] == "ops.listen"


async def test_a_state_directory_that_cannot_be_made_ends_with_64(ship: Start, log: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shipper = await ship(ready=False, state_dir=f"{tmp_path}/file/state")
    assert await shipper.status() == 64
    assert shipper.of("cannot_start")[0]["setting"] == "state_dir"


async def test_two_shippers_do_not_share_their_positions(ship: Start, log: Path) -> None:
    first = await ship()
    second = await ship(ready=False)
    assert await second.status() == 64
    (told,) = second.of("cannot_start")
    assert told["setting"] == "state_dir"
    assert "another process" in told["reason"]
    await first.kill()
    await (await ship()).event("ready")


async def test_a_certificate_file_that_is_missing_ends_with_64(ship: Start, log: Path, tmp_path: Path) -> None:
    shipper = await ship(
        ready=False, sink={"url": "https://127.0.0.1:1/", "tls": {"ca_file": f"{tmp_path}/no-such.pem"}}
    )
    assert await shipper.status() == 64
    assert shipper.of("cannot_start")[0]["setting"] == "sink.tls.ca_file"


async def test_a_glob_without_files_is_a_visible_warning(ship: Start, server: LogServer, log: Path) -> None:
    shipper = await ship()
    assert (await shipper.event("glob_matches_nothing"))["pattern"].endswith("/*.log")
    assert (await shipper.metrics())["logshipper_globs_without_files"] == 1
    log.write_bytes(b'{"n":0}\n')
    assert await server.has(1) == [b'{"n":0}']


async def test_every_series_is_there_from_the_start(ship: Start, log: Path) -> None:
    shipper = await ship()
    metrics = await shipper.metrics()
    for name in (
        "logshipper_read_lines_total",
        "logshipper_acked_bytes_total",
        'logshipper_dropped_bytes_total{reason="dead_letter_full"}',
        'logshipper_requests_total{action="bisect"}',
        'logshipper_file_errors_total{kind="permission_denied"}',
        "logshipper_lag_bytes",
        "logshipper_oldest_unacked_seconds",
    ):
        assert metrics[name] == 0


async def test_the_times_of_files_that_are_gone_do_not_stay_in_the_checkpoint(
    ship: Start, log: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "state/logshipper.json"
    checkpoint.parent.mkdir()
    saved = {"version": 1, "token": 1, "files": [], "extra": {"dating": {"1-1": [[0, 1]]}}}
    checkpoint.write_text(json.dumps(saved))
    await ship(sink={"type": "victorialogs", "url": "http://127.0.0.1:1"})
    async with asyncio.timeout(PATIENCE_S):
        while "1-1" in (dating := json.loads(checkpoint.read_bytes())["extra"]["dating"]):
            append(log, b"a line without a time\n")  # about once a second one of them makes a mark
            await asyncio.sleep(0.05)
    assert len(dating) == 1
