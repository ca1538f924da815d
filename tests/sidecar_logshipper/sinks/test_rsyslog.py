"""Debian's rsyslog, over TCP and over TLS with certificates on both sides: what it writes is what was in the log."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from ..conftest import PATIENCE_S, Start

TEMPLATE = "%pri%|%timestamp:::date-rfc3339%|%hostname%|%app-name%|%structured-data%|%msg%\\n"


def binary() -> Path:
    found = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip("rsyslogd is not on this machine: package rsyslog")
    return Path(found)


def modules(needed: str) -> Path:
    for folder in (binary().parent.parent / "lib").glob("*/rsyslog"):
        if (folder / f"{needed}.so").exists():
            return folder
    pytest.skip(f"rsyslog has no {needed}: package rsyslog-gnutls")


class Rsyslog:
    """One server with one file that it writes to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "out.log"
        self.process: asyncio.subprocess.Process | None = None
        self.port = 0

    async def start(self, module: str, before: str = "", tls: str = "", *, port: int = 0) -> None:
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        settings = self.folder / "rsyslog.conf"
        settings.write_text(
            f'global(workDirectory="{self.folder}" maxMessageSize="256k"{before})\n'
            f'module(load="imtcp"{tls})\n'
            f'template(name="all" type="string" string="{TEMPLATE}")\n'
            f'input(type="imtcp" address="127.0.0.1" port="{port}" listenPortFileName="{port_file}" ruleset="all")\n'
            f'ruleset(name="all") {{ action(type="omfile" file="{self.output}" template="all") }}\n'
        )
        self.process = await asyncio.create_subprocess_exec(
            *(str(binary()), "-n", "-f", str(settings), "-i", str(self.folder / "pid"), "-M", str(modules(module))),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        if port == 0:  # only then it writes the file
            await until(lambda: port_file.exists() and port_file.read_text() != "")
            self.port = int(port_file.read_text())

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def has(self, count: int) -> list[list[str]]:
        """The messages that it has written, once there are so many."""
        await until(lambda: self.output.exists() and self.output.read_bytes().count(b"\n") >= count)
        return [line.split("|", 5) for line in self.output.read_text().splitlines()]


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not met():  # noqa: ASYNC110 (another process does it)
            await asyncio.sleep(0.02)


@pytest.fixture
async def rsyslog(tmp_path: Path) -> AsyncIterator[Rsyslog]:
    (tmp_path / "rsyslog").mkdir()
    server = Rsyslog(tmp_path / "rsyslog")
    yield server
    await server.stop()


def given(server: Rsyslog, **sink: Any) -> dict[str, Any]:
    return {
        "labels": {"app": "web"},
        "pod": {"name": "web-1"},
        "sink": {"type": "syslog", "address": f"localhost:{server.port}", "facility": "local3", **sink},
    }


async def test_over_tcp(ship: Start, rsyslog: Rsyslog, log: Path) -> None:
    await rsyslog.start("imtcp")
    long = "x" * 50_000
    log.write_text(f'{{"level":"error","timestamp":"2026-01-02T03:04:05.5Z"}}\nplain "é" [1]\n\n{long}\n')
    shipper = await ship(**given(rsyslog))
    first, second, blank, last = await rsyslog.has(4)
    structured = f'[podmates@32473 app="web" k8s.pod.name="web-1" path="{log}"]'
    assert first[0] == str(19 * 8 + 3)
    assert first[1].startswith("2026-01-02T")
    assert first[2:] == ["web-1", "web", structured, '{"level":"error","timestamp":"2026-01-02T03:04:05.5Z"}']
    assert second[0] == str(19 * 8 + 6)
    assert second[5] == 'plain "é" [1]'
    assert (blank[5], last[5]) == ("", long)
    assert await shipper.stop() == 0


async def test_twenty_thousand_lines_and_a_restart_of_the_server(ship: Start, rsyslog: Rsyslog, log: Path) -> None:
    await rsyslog.start("imtcp")
    log.write_bytes(b"".join(b"line %d\n" % n for n in range(20_000)))
    shipper = await ship(**given(rsyslog))
    assert [message[5] for message in await rsyslog.has(20_000)] == [f"line {n}" for n in range(20_000)]
    await rsyslog.stop()
    with log.open("ab") as file:
        file.write(b"after\n")
    await shipper.event("sink_unavailable")
    await rsyslog.start("imtcp", port=rsyslog.port)
    await until(lambda: rsyslog.output.read_text().endswith("|after\n"))
    # What was sent last came again: the window.
    assert len(await rsyslog.has(20_000)) > 20_001
    assert await shipper.stop() == 0


async def test_over_tls_with_certificates_on_both_sides(
    ship: Start, rsyslog: Rsyslog, log: Path, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours = authority.issue_cert("web-1")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    theirs = authority.issue_cert("logs.example", "localhost")
    theirs.private_key_pem.write_to_path(tmp_path / "server.key")
    theirs.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    await rsyslog.start(
        "lmnsd_gtls",
        f' defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{tmp_path}/ca.pem"'
        f' defaultNetstreamDriverCertFile="{tmp_path}/server.pem"'
        f' defaultNetstreamDriverKeyFile="{tmp_path}/server.key"',
        ' streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid"',
    )
    log.write_bytes(b"".join(b"line %d\n" % n for n in range(1000)))
    tls = {"ca_file": f"{tmp_path}/ca.pem", "cert_file": f"{tmp_path}/client.pem", "server_name": "logs.example"}
    shipper = await ship(**given(rsyslog, transport="tls", tls=tls))
    assert [message[5] for message in await rsyslog.has(1000)] == [f"line {n}" for n in range(1000)]
    assert await shipper.stop() == 0
