"""The whole adapter as a real process: files in, records out, through stops, kills, rotations and a full volume."""

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

ACCESS = '203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /{} HTTP/1.1" 200 12 "-" "curl/8"\n'
JAVA = (
    "2026-11-20 08:51:00.123 ERROR 1 --- [main] c.e.Demo : {}\njava.io.IOException: no\n\tat c.e.Demo.f(Demo.java:1)\n"
)


def test_lines_written_while_it_runs_become_records(desk: Any) -> None:
    adapter = desk.start()
    adapter.event("ready")
    desk.write("access.log", ACCESS.format(1))
    desk.write("app.log", JAVA.format("x"))
    desk.wait(lambda: len(desk.records()) == 2)
    by_format = {record["log.format"]: record for record in desk.records()}
    assert by_format["combined"]["attributes"]["url.path"] == "/1"
    assert by_format["combined"]["attributes"]["log.file.path"] == str(desk.logs / "access.log")
    assert by_format["spring_boot"]["attributes"]["exception.type"] == "java.io.IOException"
    numbers = adapter.metrics()
    assert numbers['logformat_records_total{format="combined"}'] == 1
    assert numbers['logformat_records_total{format="pino"}'] == 0
    assert numbers["logformat_lines_total"] == 4
    assert adapter.stop() == 0


def test_a_year_that_lines_lack_is_the_one_in_which_the_file_was_written(desk: Any) -> None:
    desk.write("old.log", "".join(f"{day} 08:51:00 web-1 sshd[7]: hello\n" for day in ("Dec 31", "Jan  4")))
    os.utime(desk.logs / "old.log", (1_578_200_000, 1_578_200_000))  # 5 January 2020
    adapter = desk.start()
    adapter.event("ready")
    assert adapter.stop() == 0
    told = [(record["timestamp"], record["timestamp.assumed"]) for record in desk.records()]
    assert told == [("2019-12-31T08:51:00Z", "year,zone"), ("2020-01-04T08:51:00Z", "year,zone")]


def test_sigterm_ends_the_joined_record_and_the_last_line_without_an_end(desk: Any) -> None:
    desk.settings["multiline"] = {"idle": "1h", "max_age": "1h"}
    adapter = desk.start()
    adapter.event("ready")
    desk.write("app.log", JAVA.format("x") + "Caused by: java.lang.Error: unfinished")
    desk.wait(lambda: (desk.logs / "app.log").exists())
    assert adapter.stop() == 0
    (record,) = desk.records()
    assert record["attributes"]["exception.stacktrace"].endswith("unfinished")


def test_a_record_that_waits_for_its_rest_survives_a_kill(desk: Any) -> None:
    desk.settings["multiline"] = {"idle": "1h", "max_age": "1h"}
    adapter = desk.start()
    adapter.event("ready")
    desk.write("app.log", JAVA.format("first"))
    desk.write("app.log", JAVA.format("second"))
    desk.wait(lambda: len(desk.records()) == 1 and open_streams(desk))
    adapter.kill()
    desk.write("app.log", "Caused by: java.lang.Error: last\n")
    second = desk.start()
    second.event("ready")
    assert second.stop() == 0
    first, last = desk.records()
    assert (first["body"], last["body"]) == ("first", "second")
    assert last["attributes"]["exception.stacktrace"].endswith("Caused by: java.lang.Error: last")


def open_streams(desk: Any) -> Any:
    """Those that the checkpoint holds, once there is one."""
    path = desk.directory / "state" / "logformat.checkpoint.json"
    return path.exists() and json.loads(path.read_text())["extra"]["streams"]


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_at_any_moment_leaves_each_record_exactly_once(desk: Any, seed: int) -> None:
    chance = random.Random(seed)
    desk.settings["output"] |= {"max_bytes": "1MiB", "keep": 100}
    written = 0
    for _ in range(8):
        adapter = desk.start()
        adapter.event("ready")
        until = time.monotonic() + chance.uniform(0.02, 0.6)
        while time.monotonic() < until:
            count = chance.randint(1, 200)
            desk.write(f"{chance.choice('ab')}.log", "".join(ACCESS.format(written + at) for at in range(count)))
            written += count
            desk.write("java.log", JAVA.format(written) + JAVA.format(written + 1))
            written += 2
            time.sleep(chance.uniform(0, 0.02))
        adapter.kill()
    adapter = desk.start()
    adapter.event("ready")
    assert adapter.stop() == 0
    paths = [record["attributes"].get("url.path", f"/{record['body']}") for record in desk.records()]
    assert sorted(int(path.removeprefix("/")) for path in paths) == list(range(written))
    assert desk.raw().count(b"\n") == written


def test_the_output_rotates_before_it_grows_beyond_its_limit_and_keeps_so_many(desk: Any) -> None:
    desk.settings["output"] |= {"max_bytes": "64KiB", "keep": 2}
    adapter = desk.start()
    adapter.event("ready")
    for at in range(10):
        desk.write("a.log", "".join(ACCESS.format(at * 100 + n) for n in range(100)))
        desk.wait(lambda at=at: desk.raw().count(f'/{at * 100 + 99}"'.encode()))
    assert adapter.stop() == 0
    files = sorted(path.name for path in desk.output.parent.iterdir())
    assert files == ["app.jsonl", "app.jsonl.1", "app.jsonl.2"]
    assert all(path.stat().st_size <= 65536 for path in desk.output.parent.iterdir())
    paths = [record["attributes"]["url.path"] for record in desk.records()]
    assert paths == [f"/{at}" for at in range(1000)][-len(paths) :]


@pytest.mark.parametrize("limit", [65536, 1 << 26])
def test_the_shortest_lines_are_written_once_and_make_no_file_grow_beyond_its_limit(desk: Any, limit: int) -> None:
    desk.settings["output"] |= {"max_bytes": limit, "keep": 100}
    desk.write("a.log", "a\n" * 10_000)
    adapter = desk.start()
    adapter.event("ready")
    desk.wait(lambda: len(desk.raw()) > 500_000)
    adapter.kill()
    adapter = desk.start()
    adapter.event("ready")
    assert adapter.stop() == 0
    assert all(path.stat().st_size <= limit for path in desk.output.parent.iterdir())
    assert [record["body"] for record in desk.records()] == ["a"] * 10_000


def test_a_file_may_be_full_in_the_middle_of_what_was_read_at_once_and_then_comes_a_kill(desk: Any) -> None:
    # One character makes a record of three kilobytes here, as each of them names its file.
    desk.settings["output"] |= {"max_bytes": "16MiB", "keep": 100}
    folder = Path(*["long-name " * 24] * 12)
    (desk.logs / folder).mkdir(parents=True)
    desk.settings["inputs"] = [{"paths": [f"{desk.logs / folder}/*.log"]}]
    desk.write(f"{folder}/a.log", "".join(f"{number % 10}\n" for number in range(9_000)))
    adapter = desk.start()
    adapter.event("output_rotated")
    adapter.kill()
    adapter = desk.start()
    adapter.event("ready")
    assert adapter.stop() == 0
    assert [path.stat().st_size <= 1 << 24 for path in desk.output.parent.iterdir()] == [True, True]
    bodies = [json.loads(line)["body"] for line in desk.raw().splitlines()]
    assert bodies == [f"{number % 10}" for number in range(9_000)]


def test_a_record_whose_rest_lies_unread_in_the_file_is_not_ended_for_its_age(desk: Any) -> None:
    header, frame = (
        "2026-11-20 08:51:00.123 ERROR 1 --- [main] c.e.Demo : /{}\njava.io.IOException: no\n",
        "\tat c.e.D.f(D.java:1)\n",
    )
    desk.settings["multiline"] = {"idle": "1ms", "max_age": "1ms"}
    desk.settings["output"] |= {"max_bytes": "1MiB", "keep": 100}  # read in pieces of 4 KiB, which cut the traces
    desk.write("java.log", "".join(header.format(number) + frame * (20 + number % 7) for number in range(20_000)))
    adapter = desk.start()
    adapter.event("ready")
    desk.wait(lambda: desk.raw().count(b"\n") >= 19_999)
    assert adapter.stop() == 0
    assert [record["body"] for record in desk.records()] == [f"/{number}" for number in range(20_000)]


def test_somebody_elses_lines_in_the_output_are_never_cut(desk: Any) -> None:
    desk.output.parent.mkdir()
    desk.output.write_text('{"body":"theirs"}\nhalf a line')
    adapter = desk.start()
    adapter.event("ready")
    desk.write("a.log", ACCESS.format(1))
    desk.wait(lambda: desk.output.read_bytes().count(b"\n") == 3)
    assert adapter.stop() == 0
    assert desk.output.read_text().startswith('{"body":"theirs"}\nhalf a line\n{"timestamp"')


def test_an_output_that_was_moved_away_is_begun_anew(desk: Any) -> None:
    adapter = desk.start()
    adapter.event("ready")
    desk.write("a.log", ACCESS.format(1))
    desk.wait(lambda: len(desk.records()) == 1)
    desk.output.rename(desk.output.with_name("taken"))
    desk.write("a.log", ACCESS.format(2))
    adapter.event("output_moved_away")
    desk.write("a.log", ACCESS.format(3))
    desk.wait(lambda: desk.output.exists() and b'/3"' in desk.output.read_bytes())
    assert adapter.stop() == 0
    taken, begun = (path.read_bytes() for path in (desk.output.with_name("taken"), desk.output))
    assert b'/1"' in taken
    # Whether the second line came before the move was noticed is the machine's matter.
    assert [(taken + begun).count(b'"url.path":"/%d"' % number) for number in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.skipif(not os.path.exists("/dev/full") or os.geteuid() != 0, reason="mounts a small tmpfs: needs root")
def test_a_full_volume_stops_reading_and_loses_nothing(desk: Any) -> None:
    volume = desk.directory / "out"
    volume.mkdir()
    if os.system(f"mount -t tmpfs -o size=256k tmpfs {volume} 2>/dev/null"):
        pytest.skip("no right to mount a tmpfs")
    try:
        ballast = volume / "ballast"
        ballast.write_bytes(b"x" * 160_000)
        adapter = desk.start()
        adapter.event("ready")
        lines = 300
        desk.write("a.log", "".join(ACCESS.format(n) for n in range(lines)))
        adapter.event("output_blocked")
        assert adapter.metrics()["logformat_output_blocked"] == 1
        ballast.unlink()
        adapter.event("output_writable_again")
        desk.wait(lambda: len(desk.records()) == lines)
        assert adapter.stop() == 0
        assert [record["attributes"]["url.path"] for record in desk.records()] == [f"/{n}" for n in range(lines)]
        assert [event["event"] for event in adapter.events].count("output_blocked") == 1
    finally:
        os.system(f"umount {volume}")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"inputs": []}, "inputs"),
        ({"inputs": [{"paths": ["/x/*.log"], "format": "nope"}]}, "inputs[0].format"),
        ({"inputs": [{"paths": ["/x/*.log"], "format": ["logfmt", "nope"]}]}, "inputs[0].format[1]"),
        ({"inputs": [{"paths": ["/x/*.log"], "format": {"regex": "(?P<a>"}}]}, "inputs[0].format.regex"),
        ({"inputs": [{"paths": ["/x/*.log"], "format": {"regex": "(?P<a>(x+)+y)"}}]}, "inputs[0].format.regex"),
        ({"inputs": [{"paths": ["/x/*.log"], "format": {"regex": "no groups"}}]}, "inputs[0].format.regex"),
        ({"inputs": [{"paths": ["/x/*.log"], "format": {"regex": "(?P<a>x)", "time": "%H"}}]}, "inputs[0].format.time"),
        ({"inputs": [{"paths": ["/x/*.log"], "multiline": {"start": "(a+)+"}}]}, "inputs[0].multiline.start"),
        ({"inputs": [{"paths": ["/x/*.log"], "multiline": "sometimes"}]}, "inputs[0].multiline"),
        ({"inputs": [{"paths": ["/x/*.log"], "timezone": "Mars/Olympus"}]}, "inputs[0].timezone"),
        ({"inputs": [{"paths": ["x.log"]}]}, "inputs[0].paths[0]"),
        ({"output": {"to": "tcp://x"}}, "output.to"),
        ({"output": {"to": "udp://127.0.0.1:1"}}, "output.to"),
        ({"output": {"to": "stdout:x"}}, "output.to"),
        ({"inputs": [{"listen": "http://127.0.0.1:1"}]}, "inputs[0].listen"),
        ({"inputs": [{"listen": "udp://127.0.0.1:99999"}]}, "inputs[0].listen"),
        ({"inputs": [{"listen": "unix://relative"}]}, "inputs[0].listen"),
        ({"inputs": [{"listen": "stdin:", "paths": ["/x/*.log"]}]}, "inputs[0].paths"),
        ({"inputs": [{"listen": "stdin:"}, {"listen": "stdin:"}]}, "inputs[1].listen"),
        ({"output": {"to": "file:///x/y", "max_bytes": "1KiB"}}, "output.max_bytes"),
        ({"inputs": [{"paths": ["/x/*"]}], "output": {"to": "file:///x/y"}}, "inputs[0].paths[0]"),
        ({"redact": [{"detect": "phone"}]}, "redact[0].detect"),
        ({"redact": [{"detect": "email", "action": "hash"}]}, "redact[0].key_file"),
        ({"redact": [{"pattern": "(a+)+"}]}, "redact[0].pattern"),
        ({"metrics": {"rules": [{"name": "Bad Name"}]}}, "metrics.rules[0].name"),
        ({"metrics": {"rules": [{"name": "x", "buckets": [1.0]}]}}, "metrics.rules[0].buckets"),
        ({"metrics": {"rules": [{"name": "http_requests"}]}}, "metrics.rules[0].name"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_setting_is_named_and_ends_with_64(desk: Any, change: dict[str, Any], path: str) -> None:
    desk.settings |= change
    adapter = desk.start()
    event = adapter.event("settings_refused")
    assert [mistake for mistake in event["mistakes"] if mistake.startswith(path + ":")], event
    assert adapter.exit_status() == 64


def test_secrets_are_taken_out_and_requests_counted(desk: Any) -> None:
    key = desk.directory / "key"
    key.write_text("0123456789abcdef\n")
    desk.settings["redact"] = [{"detect": "email", "action": "hash", "key_file": str(key)}, {"detect": "ipv4"}]
    agents = {"name": "agents", "labels": {"agent": {"field": "user_agent.original"}}}
    desk.settings["metrics"] = {"access_log": True, "rules": [agents]}
    adapter = desk.start()
    adapter.event("ready")
    desk.write("a.log", ACCESS.format("?mail=a@b.org") * 2)
    desk.wait(lambda: len(desk.records()) == 2)
    assert b"a@b.org" not in desk.raw()
    assert b"203.0.113.7" not in desk.raw()
    numbers = adapter.metrics()
    assert numbers['logformat_redactions_total{rule="ipv4"}'] == 2
    assert numbers['logs_http_requests_total{method="GET",status="2xx"}'] == 2
    assert numbers['logs_agents_total{agent="curl/8"}'] == 2
    assert adapter.stop() == 0


def test_the_key_of_a_hash_must_be_there(desk: Any) -> None:
    desk.settings["redact"] = [{"detect": "email", "action": "hash", "key_file": "/nowhere/key"}]
    adapter = desk.start()
    assert adapter.event("cannot_start")["setting"] == "redact[0].key_file"
    assert adapter.exit_status() == 64


def test_a_format_that_is_almost_known_is_suggested(desk: Any) -> None:
    desk.settings["inputs"][0]["format"] = "combind"
    adapter = desk.start()
    assert "did you mean combined?" in adapter.event("settings_refused")["mistakes"][0]
    assert adapter.exit_status() == 64


def test_a_format_of_ones_own_and_records_that_begin_where_one_says(desk: Any) -> None:
    desk.settings["inputs"][0] |= {
        "format": {
            "regex": r"(?P<time>\S+ \S+)\|(?P<level>\w+)\|(?P<shop__cart>\d+)\|(?P<message>.*)",
            "time": "%d.%m.%Y %H:%M",
        },
        "timezone": "Europe/Berlin",
        "multiline": {"start": r"\d\d\."},
    }  # fmt: skip
    desk.settings["keep_original"] = "always"
    adapter = desk.start()
    adapter.event("ready")
    desk.write("a.log", "20.11.2026 08:51|WARN|17|first\nof two\n20.11.2026 08:52|INFO|18|second\n")
    desk.wait(lambda: len(desk.records()) == 2)
    assert adapter.metrics()['logformat_records_total{format="custom"}'] == 2
    assert adapter.stop() == 0
    first, second = desk.records()
    assert (first["timestamp"], first["severity_number"], first["body"]) == (
        "2026-11-20T07:51:00Z",
        13,
        "first\nof two",
    )
    assert first["attributes"]["shop.cart"] == "17"
    assert first["log.record.original"] == "20.11.2026 08:51|WARN|17|first\nof two"
    assert second["body"] == "second"


def test_an_output_that_is_no_file_ends_with_64(desk: Any) -> None:
    desk.output.mkdir(parents=True)
    adapter = desk.start()
    assert adapter.event("cannot_start")["setting"] == "output.to"
    assert adapter.exit_status() == 64


def test_two_adapters_do_not_share_their_positions(desk: Any, tmp_path: Path) -> None:
    desk.start().event("ready")
    desk.settings["output"] = {"to": f"file://{tmp_path}/other.jsonl"}
    second = desk.start()
    assert second.event("cannot_start")["setting"] == "state_dir"
    assert second.exit_status() == 64


def test_two_adapters_do_not_write_one_output(desk: Any, tmp_path: Path) -> None:
    desk.start().event("ready")
    desk.settings["state_dir"] = str(tmp_path / "other")
    second = desk.start()
    assert second.event("cannot_start")["setting"] == "output.to"
    assert second.exit_status() == 64
