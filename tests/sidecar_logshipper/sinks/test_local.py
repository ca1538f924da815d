"""Files and standard output: what is in them, and what happens where they cannot take it."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import gzip
import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import zstandard

from sidecar_logshipper.compression import compressor
from sidecar_logshipper.sinks.local_file import LocalFile
from sidecar_logshipper.sinks.plain import LinesWriter
from sidecar_logshipper.sinks.seam import Unreachable
from sidecar_logshipper.sinks.settings import FileSink
from sidecar_logshipper.sinks.stdout import Stdout
from sidecar_logshipper.verdict import Action

from ..conftest import PATIENCE_S, ROOT, Start
from .conftest import GENERATION, ORIGIN, batch, part


def local_file(path: Path, **changes: Any) -> LocalFile:
    settings = FileSink(path=path, **changes)
    lines = LinesWriter(settings.encoding, settings.record_id_field, ORIGIN)
    return LocalFile(settings, lines, compressor(settings.compression))


def test_lines_are_appended_to_a_file(tmp_path: Path) -> None:
    sink = local_file(tmp_path / "new/out.jsonl")
    assert sink.send(batch(b'{"a":1}\n')).verdict.action is Action.ACK
    sink.send(batch(b"plain"))
    front = '{"app":"web","k8s.pod.name":"web-1",'
    assert (tmp_path / "new/out.jsonl").read_text() == f'{front}"a":1}}\n{front}"message":"plain"}}\n'


def test_raw_lines_and_ids(tmp_path: Path) -> None:
    local_file(tmp_path / "raw", encoding="raw").send(batch(b"a\n", b"b"))
    assert (tmp_path / "raw").read_bytes() == b"a\nb\n"
    local_file(tmp_path / "ids", record_id_field="id").send(batch(part(b"a\n{}\n", start=3)))
    found = [json.loads(line)["id"] for line in (tmp_path / "ids").read_text().splitlines()]
    assert found == [f"pod-uid-{GENERATION}-3", f"pod-uid-{GENERATION}-5"]


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_batches_follow_each_other(tmp_path: Path, kind: str) -> None:
    sink = local_file(tmp_path / "out", encoding="raw", compression=kind)
    for line in (b"a\n", b"b\n"):
        sink.send(batch(line))
    content = (tmp_path / "out").read_bytes()
    if kind == "gzip":
        assert gzip.decompress(content) == b"a\nb\n"
    else:
        with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as reader:
            assert reader.read() == b"a\nb\n"


def test_a_file_that_was_moved_away_is_made_again(tmp_path: Path) -> None:
    sink = local_file(tmp_path / "out", encoding="raw")
    sink.send(batch(b"a\n"))
    (tmp_path / "out").rename(tmp_path / "old")
    sink.send(batch(b"b\n"))
    assert ((tmp_path / "old").read_bytes(), (tmp_path / "out").read_bytes()) == (b"a\n", b"b\n")


def test_one_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(Unreachable, match=r"write_failed: .*/out: Is a directory"):
        local_file(tmp_path / "out").send(batch(b"a\n"))


def test_a_full_disk_leaves_no_half_batch(tmp_path: Path) -> None:
    sink = local_file(tmp_path / "out", encoding="raw")
    sink.send(batch(b"a\n"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(Unreachable, match="File too large"):
            sink.send(batch(b"b" * 100 + b"\n"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "out").read_bytes() == b"a\n"


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out")
    with pytest.raises(Unreachable, match=r"No such device|no regular file"):
        local_file(tmp_path / "out").send(batch(b"a\n"))


def test_a_pipe_that_nobody_reads_is_left_at_the_end() -> None:
    reading, writing = os.pipe()
    sink = Stdout(LinesWriter("raw", "", ORIGIN), writing)
    failures: list[Unreachable] = []

    def send() -> None:
        try:
            sink.send(batch(b"x" * 1_000_000 + b"\n"))
        except Unreachable as error:
            failures.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    assert os.read(reading, 10) == b"x" * 10
    sink.abort()
    thread.join(10)
    assert [failure.detail for failure in failures] == ["standard output: stopped"]
    os.close(reading)
    os.close(writing)


def test_a_line_that_was_begun_is_finished_first(tmp_path: Path) -> None:
    """Redirected into a file on a full disk: whoever reads it finds whole lines, some of them twice."""
    descriptor = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sink = Stdout(LinesWriter("raw", "", ORIGIN), descriptor)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9, hard))
    try:
        with pytest.raises(Unreachable, match="standard output: File too large"):
            sink.send(batch(b"one\ntwo\nthree\n"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "out").read_bytes() == b"one\ntwo\nt"
    sink.send(batch(b"one\ntwo\nthree\n"))
    os.close(descriptor)
    assert (tmp_path / "out").read_bytes() == b"one\ntwo\nthree\none\ntwo\nthree\n"


async def test_the_real_process_into_a_file(ship: Start, log: Path, tmp_path: Path) -> None:
    log.write_bytes(b"".join(b"line %d\n" % n for n in range(20_000)))
    shipper = await ship(sink={"type": "file", "path": f"{tmp_path}/out/all.log", "encoding": "raw"})
    assert await shipper.stop() == 0
    assert (tmp_path / "out/all.log").read_bytes() == log.read_bytes()


async def test_the_real_process_into_a_pipe(log: Path, tmp_path: Path) -> None:
    log.write_bytes(b"".join(b"line %d\n" % n for n in range(20_000)))
    (tmp_path / "logshipper.yaml").write_text(
        json.dumps(
            {
                "files": {"include": [str(log)]},
                "sink": {"type": "stdout"},
                "state_dir": f"{tmp_path}/state",
                "drain": {"quiet": "50ms"},
                "ops": {"listen": "127.0.0.1:0"},
            }
        )
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar_logshipper", "--config", str(tmp_path / "logshipper.yaml")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        found = [json.loads(await process.stdout.readline())["message"] for _ in range(20_000)]
        process.terminate()
        assert await process.stdout.read() == b""
        assert await process.wait() == 0
    assert found == [f"line {n}" for n in range(20_000)]
