"""The settings: the whole contract is read, and each mistake is named by its path."""

from pathlib import Path
from typing import Any

import pytest

from chassis.loading import load
from chassis.settings import SettingsError, decode
from sidecar_logshipper.settings import Settings
from sidecar_logshipper.sinks import roster

LEAST: dict[str, Any] = {"files": {"include": ["/log/*.log"]}, "sink": {"url": "http://logs:9428/insert"}}


def mistakes(tree: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        decode(Settings, tree)
    return [str(mistake) for mistake in caught.value.mistakes]


def with_sink(**sink: Any) -> dict[str, Any]:
    return LEAST | {"sink": LEAST["sink"] | sink}


def test_the_least_there_must_be() -> None:
    settings = decode(Settings, LEAST)
    assert settings.dead_letter_path == Path("/var/lib/podmates/dead.jsonl")
    assert settings.checkpoint_path == Path("/var/lib/podmates/logshipper.json")
    assert (settings.sink.encoding, settings.sink.compression, settings.sink.in_flight) == ("ndjson", "none", 4)


def test_everything_at_once() -> None:
    settings = decode(
        Settings,
        {
            "files": {"include": ["/log/**/*.log"], "exclude": ["*.tmp"], "start_at": "end", "max_line_bytes": "64KiB"},
            "labels": {"app": "web"},
            "pod": {"name": "a", "namespace": "b", "node": "c"},
            "sink": {
                "type": "http",
                "url": "https://logs/in?x=1",
                "encoding": "raw",
                "compression": "zstd",
                "headers": {"X-Scope": "a"},
                "auth": {"basic": {"username": "u", "password_file": "/run/password"}},
                "tls": {"ca_file": "/ca.pem", "cert_file": "/c.pem", "key_file": "/k.pem", "server_name": "logs"},
                "batch": {"max_bytes": "512KiB", "max_age": "200ms"},
                "in_flight": 2,
                "timeout": "5s",
                "retry": {"initial": "100ms", "max": "10s"},
            },
            "dead_letter": {"path": "/dead.jsonl", "max_bytes": "1MiB"},
            "memory_budget": "8MiB",
            "state_dir": "/state",
            "drain": {"deadline": "10s", "quiet": "500ms"},
            "ops": {"listen": "127.0.0.1:0"},
        },
    )
    assert settings.sink.batch.max_bytes == 512 * 1024
    assert settings.dead_letter_path == Path("/dead.jsonl")
    assert settings.checkpoint_path == Path("/state/logshipper.json")


def test_all_mistakes_are_named_together() -> None:
    found = mistakes({"files": {"include": []}, "sink": {"url": "logs:9428", "type": "loki", "batch": {"max_byte": 1}}})
    assert [each.partition(":")[0] for each in found] == ["files.include", "sink.batch.max_byte"]
    assert "did you mean max_bytes?" in found[1]
    found = mistakes({"files": {}, "sink": {"type": "locki"}})
    assert [each.partition(":")[0] for each in found] == ["files.include", "sink.type"]
    assert "did you mean loki?" in found[1]


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"sink": LEAST["sink"]}, "files"),
        ({"files": LEAST["files"]}, "sink"),
        (LEAST | {"files": {"include": ["app.log"]}}, "files.include[0]"),
        (LEAST | {"files": {"include": ["/a"], "max_line_bytes": 10}}, "files.max_line_bytes"),
        (with_sink(url="ftp://logs/"), "sink.url"),
        (with_sink(url="http://"), "sink.url"),
        (with_sink(url="http://logs:99999/"), "sink.url"),
        (with_sink(url="http://user:pw@logs/"), "sink.url"),
        (with_sink(url="http://logs/a b"), "sink.url"),
        (with_sink(type="kafka"), "sink.type"),
        (with_sink(compression="lz4"), "sink.compression"),
        (with_sink(headers={"Bad Name": "x"}), "sink.headers.Bad Name"),
        (with_sink(headers={"X-A": "x\r\nY: z"}), "sink.headers.X-A"),
        (with_sink(headers={"content-length": "1"}), "sink.headers.content-length"),
        (with_sink(in_flight=0), "sink.in_flight"),
        (with_sink(timeout="0s"), "sink.timeout"),
        (with_sink(batch={"max_bytes": 1}), "sink.batch.max_bytes"),
        (with_sink(retry={"initial": "1m"}), "sink.retry"),
        (with_sink(tls={"key_file": "/k.pem"}), "sink.tls"),
        (with_sink(encoding="raw", record_id_field="id"), "sink.record_id_field"),
        (LEAST | {"sink": {"type": "file"}}, "sink.path"),
        (
            LEAST | {"sink": {"type": "file", "path": "/a", "encoding": "raw", "record_id_field": "id"}},
            "sink.record_id_field",
        ),
        (LEAST | {"sink": {"type": "stdout", "compression": "gzip"}}, "sink.compression"),
        (LEAST | {"sink": {"type": "syslog"}}, "sink.address"),
        (LEAST | {"sink": {"type": "splunk_hec", "url": "http://splunk"}}, "sink.token_file"),
        (with_sink(type="loki", compression="zstd"), "sink.compression"),
        (with_sink(type="loki", url="loki:3100"), "sink.url"),
        (with_sink(type="elasticsearch", index="Upper"), "sink.index"),
        (with_sink(type="opensearch", index="_hidden"), "sink.index"),
        (with_sink(type="otlp", encoding="grpc"), "sink.encoding"),
        (with_sink(type="victorialogs", encoding="raw"), "sink.encoding"),
        (with_sink(auth={"bearer_token_file": "/t", "api_key_file": "/k"}), "sink.auth"),
        (LEAST | {"instance": "x" * 201}, "instance"),
        (
            with_sink(auth={"bearer_token_file": "/t", "basic": {"username": "u", "password_file": "/p"}}),
            "sink.auth",
        ),
    ],
)
def test_one_mistake(tree: dict[str, Any], path: str) -> None:
    assert [each.partition(": ")[0] for each in mistakes(tree)] == [path]


SINKS = {
    "http": {"url": "http://logs"},
    "loki": {"url": "http://loki:3100"},
    "elasticsearch": {"url": "http://elastic:9200"},
    "opensearch": {"url": "http://opensearch:9200"},
    "otlp": {"url": "http://collector:4318"},
    "victorialogs": {"url": "http://victorialogs:9428"},
    "splunk_hec": {"url": "http://splunk:8088", "token_file": "/token"},
    "syslog": {"address": "logs:514"},
    "file": {"path": "/all.log"},
    "stdout": {},
}


@pytest.mark.parametrize("kind", SINKS)
def test_the_least_each_sink_needs(kind: str) -> None:
    settings = decode(Settings, LEAST | {"sink": {"type": kind} | SINKS[kind]})
    opened = roster.open_sink(settings, clock=lambda: 0.0)
    opened.close()
    roster.check(settings.sink)
    assert roster.peer(settings.sink)
    assert settings.sink.in_flight == (1 if kind in ("file", "stdout") else 4)
    assert roster.sends_times(settings.sink) == (kind not in ("http", "file", "stdout"))


@pytest.mark.parametrize(
    ("sink", "setting"),
    [
        ({"url": "http://logs", "auth": {"bearer_token_file": "/none"}}, "sink.auth.bearer_token_file"),
        ({"url": "http://logs", "auth": {"api_key_file": "/none"}}, "sink.auth.api_key_file"),
        (
            {"url": "http://logs", "auth": {"basic": {"username": "a", "password_file": "/none"}}},
            "sink.auth.basic.password_file",
        ),
        ({"type": "splunk_hec", "url": "http://splunk:8088", "token_file": "/none"}, "sink.token_file"),
    ],
)
def test_a_file_of_credentials_that_is_not_there_is_named_by_its_setting(sink: dict[str, Any], setting: str) -> None:
    found = roster.unreadable_credentials(decode(Settings, LEAST | {"sink": sink}).sink)
    assert found is not None
    assert (found[0], found[1].path) == (setting, Path("/none"))


def test_without_credentials_none_are_missed() -> None:
    for kind, least in SINKS.items():
        found = roster.unreadable_credentials(decode(Settings, LEAST | {"sink": {"type": kind} | least}).sink)
        assert (found is not None) == (kind == "splunk_hec")


def test_the_environment_can_choose_another_sink(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("files: {include: [/log/*]}\nsink: {url: http://logs}\n")
    environ = {"LOGSHIPPER__SINK__TYPE": "loki", "LOGSHIPPER__SINK__TENANT": "shop"}
    settings = load(Settings, tmp_path / "settings.yaml", environ, "LOGSHIPPER")
    assert settings.sink.tenant == "shop"
