"""Bad input of every kind: a clear event, a metric, and nothing lost."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from .balance import imbalance
from .conftest import PATIENCE_S, LogServer, Start
from .test_reload import change
from .test_shipping import append, lines, numbers

# Root may read everything; a shipper without this right is an ordinary user in what it can read.
UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []
LONG_LINE_MIB = 300


@pytest.mark.skipif(UNPRIVILEGED != [] and not shutil.which("setpriv"), reason="needs setpriv (util-linux)")
async def test_case_12_an_unreadable_file_is_said_and_picked_up_after_chmod(
    ship: Start, server: LogServer, log: Path
) -> None:
    secret, plain = log.with_name("secret.log"), log.with_name("plain.log")
    secret.write_bytes(lines(0, 10))
    secret.chmod(0)
    plain.write_bytes(lines(10, 20))
    shipper = await ship(prefix=UNPRIVILEGED)
    assert numbers(await server.has(10)) == list(range(10, 20))
    told = await shipper.event("file_not_followed")
    assert (told["path"], told["reason"]) == (str(secret), "permission_denied")
    metrics = await shipper.metrics()
    assert metrics['logshipper_file_errors_total{kind="permission_denied"}'] == 1
    assert metrics['logshipper_files_in_trouble{kind="permission_denied"}'] == 1
    secret.chmod(0o600)
    assert sorted(numbers(await server.has(20))) == list(range(20))
    assert (await shipper.metrics())['logshipper_files_in_trouble{kind="permission_denied"}'] == 0
    assert await shipper.stop() == 0
    assert len(shipper.of("file_not_followed")) == 1


async def test_case_12_a_directory_and_a_fifo_are_said_and_block_nothing(
    ship: Start, server: LogServer, log: Path
) -> None:
    log.mkdir()
    os.mkfifo(log.with_name("fifo.log"))
    log.with_name("good.log").write_bytes(lines(0, 10))
    shipper = await ship()
    assert numbers(await server.has(10)) == list(range(10))
    await shipper.event("file_not_followed", 2)
    metrics = await shipper.metrics()
    assert metrics['logshipper_file_errors_total{kind="directory"}'] == 1
    assert metrics['logshipper_file_errors_total{kind="no_regular_file"}'] == 1
    log.rmdir()
    log.write_bytes(lines(10, 20))
    assert numbers(await server.has(20)) == list(range(20))
    assert await shipper.stop() == 0


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b'{"version":99,"files":[]}', bytes(100), b"\xff\xfe"],
    ids=["cut short", "empty", "newer", "zeros", "no UTF-8"],
)
async def test_case_05_a_checkpoint_that_cannot_be_used_is_put_aside_and_lines_are_repeated_not_lost(
    ship: Start, server: LogServer, log: Path, tmp_path: Path, content: bytes
) -> None:
    log.write_bytes(lines(0, 10))
    (tmp_path / "state").mkdir()
    (tmp_path / "state/logshipper.json").write_bytes(content)
    shipper = await ship()
    assert numbers(await server.has(10)) == list(range(10))
    told = await shipper.event("checkpoint_unusable")
    assert Path(told["moved_to"]).read_bytes() == content
    assert (await shipper.metrics())['logshipper_file_errors_total{kind="checkpoint_unusable"}'] == 1
    assert await shipper.stop() == 0


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """A state volume of 64 KiB."""
    state = tmp_path / "state"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(state)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs can be mounted by root only")
    yield state
    subprocess.run(["umount", "-l", str(state)], check=True)


def remount(volume: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(volume)], check=True)


async def test_case_05_a_full_state_volume_degrades_and_shipping_goes_on(
    ship: Start, server: LogServer, log: Path, small_volume: Path
) -> None:
    log.write_bytes(lines(0, 10))
    shipper = await ship()
    await server.has(10)
    ballast = small_volume / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    append(log, lines(10, 20))
    assert numbers(await server.has(20)) == list(range(20))
    assert (await shipper.event("checkpoint_write_failed"))["reason"] == "No space left on device"
    metrics = await shipper.metrics()
    assert metrics["logshipper_checkpoint_good"] == 0
    assert metrics['logshipper_file_errors_total{kind="checkpoint_write_failed"}'] >= 1
    append(log, lines(20, 5000))
    assert numbers(await server.has(5000)) == list(range(5000))
    ballast.unlink()
    await shipper.event("checkpoint_written_again")
    await shipper.metrics_when(lambda now: now["logshipper_checkpoint_good"] == 1)
    assert await shipper.stop() == 0
    shipper = await ship()
    assert await shipper.stop() == 0
    assert len(server.lines) == 5000


async def test_case_05_a_read_only_state_volume_degrades_and_shipping_goes_on(
    ship: Start, server: LogServer, log: Path, small_volume: Path
) -> None:
    remount(small_volume, "ro")
    log.write_bytes(lines(0, 1000))
    shipper = await ship()
    assert numbers(await server.has(1000)) == list(range(1000))
    assert (await shipper.event("checkpoint_write_failed"))["reason"] == "Read-only file system"
    metrics = await shipper.metrics_when(lambda now: now["logshipper_pending_lines"] == 0)
    assert metrics["logshipper_checkpoint_good"] == 0
    assert imbalance(metrics) == {}
    remount(small_volume, "rw")
    await shipper.event("checkpoint_written_again")
    assert await shipper.stop() == 0


@pytest.mark.parametrize(
    "url", ["logs:9428", "ftp://logs/", "http://", "http://logs:99999/", "http://lo gs/", "no url"]
)
async def test_a_sink_url_that_is_none_ends_with_64(ship: Start, log: Path, url: str) -> None:
    shipper = await ship(ready=False, sink={"url": url})
    assert await shipper.status() == 64
    assert "sink.url" in " ".join(shipper.of("settings_refused")[0]["mistakes"])


async def test_tls_to_a_server_without_is_said_and_the_lines_wait(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    log.write_bytes(lines(0, 10))
    shipper = await ship(sink={"url": server.url.replace("http:", "https:")})
    assert (await shipper.event("sink_unavailable"))["reason"] == "tls_failed"
    metrics = await shipper.metrics()
    assert (metrics["logshipper_sink_up"], metrics["logshipper_pending_lines"]) == (0, 10)
    await change(shipper, tmp_path, sink={"url": server.url})
    assert numbers(await server.has(10)) == list(range(10))


class Counting:
    """A server that counts the bytes it takes and keeps none of them."""

    def __init__(self) -> None:
        self.taken = 0
        self.url = ""
        self.changed = asyncio.Event()

    async def take(self, request: web.BaseRequest) -> web.Response:
        taken = 0
        async for piece in request.content.iter_any():
            taken += len(piece) - piece.count(b"\n")
        self.taken += taken
        self.changed.set()
        return web.Response()

    async def has(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.taken < count:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def counting() -> AsyncIterator[Counting]:
    counting = Counting()
    runner = web.ServerRunner(web.Server(counting.take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    counting.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield counting
    await runner.cleanup()


async def test_case_09_a_line_of_300_mib_takes_no_memory(ship: Start, log: Path, counting: Counting) -> None:
    mib = 1024 * 1024
    with log.open("wb") as file:
        file.write(b"before\n")
        for _ in range(LONG_LINE_MIB):
            file.write(b"x" * mib)
        file.write(b"\nafter\n")
    shipper = await ship(sink={"url": counting.url, "encoding": "raw"})
    await counting.has(len(b"beforeafter") + LONG_LINE_MIB * mib)
    metrics = await shipper.metrics_when(lambda now: now["logshipper_pending_bytes"] == 0)
    assert metrics["logshipper_long_lines_total"] == 1
    assert metrics["logshipper_acked_bytes_total"] == log.stat().st_size
    assert counting.taken == len(b"beforeafter") + LONG_LINE_MIB * mib
    assert (await shipper.event("line_too_long"))["offset"] == 7
    assert shipper.peak_mib() <= 64
    assert await shipper.stop() == 0


async def test_case_09_an_over_long_line_is_split_and_marked_and_its_neighbours_are_untouched(
    ship: Start, server: LogServer, log: Path
) -> None:
    log.write_bytes(b'{"n":0}\n' + b"y" * 2500 + b'\n{"n":1}\n')
    await ship(files={"include": [str(log)], "max_line_bytes": "1KiB"})
    records = [json.loads(line) for line in await server.has(5)]
    assert (records[0], records[-1]) == ({"n": 0}, {"n": 1})
    assert all(each["log.partial"] is True for each in records[1:-1])
    assert "".join(each["message"] for each in records[1:-1]) == "y" * 2500


async def test_nul_bytes_and_invalid_utf8_arrive_as_what_they_can_be(ship: Start, server: LogServer, log: Path) -> None:
    log.write_bytes(b"nul \x00 byte\nlatin \xe9 one\n" + "fine é\n".encode() + b'{"n":1}\n')
    shipper = await ship()
    records = [json.loads(line) for line in await server.has(4)]
    assert [each.get("message") for each in records] == ["nul \x00 byte", "latin \ufffd one", "fine é", None]
    assert [each.get("log.invalid_utf8", False) for each in records] == [False, True, False, False]
    assert (await shipper.metrics())["logshipper_invalid_lines_total"] == 1
    assert await shipper.stop() == 0
