"""Each benchmark in its quick form: it runs to its end, its results are complete, everything arrived. Never a time."""

import shutil
from pathlib import Path

import pytest

from benchmarks import results_files
from benchmarks.__main__ import BENCHMARKS
from benchmarks.outcome import Outcome

PROGRAMS = "/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin:/usr/lib/postgresql/15/bin"


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program, path=PROGRAMS) is None:
            pytest.skip(f"{program} is not on this machine")


def run(name: str, into: Path, *options: str) -> Outcome:
    arguments = ["--quick", "--results", str(into / "results"), "--workloads", str(into / "workloads"), *options]
    assert BENCHMARKS[name](arguments) == 0
    outcome = results_files.read(into / f"results/{name}.json")
    assert outcome.quick
    assert not outcome.undelivered
    assert all(row.figures for row in outcome.rows)
    assert outcome.machine["cores"]
    return outcome


def contestants(outcome: Outcome, work: str) -> set[str]:
    return {row.name for row in outcome.rows_of(work)}


def test_the_shipper_delivers_every_line(tmp_path: Path) -> None:
    outcome = run("shipper", tmp_path, "--lines", "3000", "--only", "plain", "--only", "merged, zstd")
    for name in ("unchanged, plain", "merged, zstd", "merged, plain", "unchanged, plain, batches of 4MiB"):
        assert name in contestants(outcome, "JSON lines")
    assert "wrapped, plain" in contestants(outcome, "text lines")
    assert all(row.expected == 3000 for row in outcome.rows)
    ran_or_told = {peer.name: bool(peer.setups) ^ bool(peer.why_not) for peer in outcome.peers}
    assert ran_or_told == dict.fromkeys(("rsyslog", "syslog-ng", "Fluent Bit", "Vector"), True)


def test_the_adapter_writes_every_record(tmp_path: Path) -> None:
    outcome = run("adapter", tmp_path, "--lines", "4000")
    assert [row.expected for row in outcome.rows if row.ours] == [4000, 4000, 1000]


def test_every_way_to_postgresql_answers(tmp_path: Path) -> None:
    need("pgbench", "haproxy")
    outcome = run("dbproxy", tmp_path)
    for work in ("simple, 1 client", "prepared, 8 clients", "connect for each query, 8 clients", "COPY out", "COPY in"):
        assert {"ambassador", "HAProxy"} <= contestants(outcome, work)
    assert "ambassador over TLS" in contestants(outcome, "TLS to the server, 8 clients")
    assert all(row.expected == 2000 for row in outcome.rows if row.work.startswith("COPY"))


def test_every_way_to_mariadb_answers(tmp_path: Path) -> None:
    need("mariadbd", "mariadb-install-db", "mariadb-slap", "haproxy")
    outcome = run("dbproxy-mysql", tmp_path)
    for clients in ("1 client", "8 clients", "32 clients"):
        assert {"direct", "HAProxy", "ambassador"} <= contestants(outcome, f"point-select, {clients}")


def test_every_way_to_redis_answers(tmp_path: Path) -> None:
    need("redis-server", "redis-benchmark", "haproxy")
    outcome = run("dbproxy-redis", tmp_path)
    for work in ("GET, 1 connection", "GET, 50 connections, 16 requests in flight on each"):
        assert {"direct", "HAProxy", "ambassador"} <= contestants(outcome, work)


def test_the_footprint_of_each_mate_is_measured(tmp_path: Path) -> None:
    outcome = run("footprint", tmp_path, "--only", "idle", "--only", "mates", "--only", "slow")
    assert contestants(outcome, "idle") == {"shipper", "adapter", "ambassador"}
    assert [row.expected for row in outcome.rows_of("write to received")] == [5]
    assert any("slow sink" in name for name in contestants(outcome, "under load"))


def test_growth_is_measured_at_each_size(tmp_path: Path) -> None:
    outcome = run("growth", tmp_path, "--only", "connections", "--only", "formats", "--only", "bytes")
    sizes = {work: [row.size for row in outcome.rows_of(work) if row.ours] for work in outcome.works()}
    assert sizes["sessions: number of connections"] == [1, 50]
    assert sizes["log mates: bytes in a line"] == [50_000, 50_000]
    assert sizes["adapter: formats that may be meant"][0] == 1
    assert {"ambassador, plain", "ambassador, over TLS"} <= contestants(outcome, "idle sessions")
