"""TLS and credentials against real servers: what is wrong is named, nothing is lost, and mended files are used."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from ..conftest import PATIENCE_S, Start, decoded


class Authority:
    """A certificate authority with its files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        folder.mkdir()
        self.certificate = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.certificate)

    def issue(self, name: str) -> Path:
        path = self._folder / f"{name}.pem"
        self._authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def trusted_by(self, context: ssl.SSLContext) -> None:
        self._authority.configure_trust(context)


class SecureServer:
    """An HTTPS server that keeps the lines it is sent, and the Authorization headers."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.shown: list[str] = []
        self.wanted: str | None = None
        """The Authorization header to answer 200 to; None for any."""
        self.port = 0
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def start(self, certificate: Path, clients: Authority | None = None) -> None:
        """`clients`: ask for a certificate of this authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            clients.trusted_by(context)
        app = web.Application()
        app.router.add_post("/in", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = decoded(request, await request.read())
        shown = request.headers.get("Authorization", "")
        good = self.wanted in (None, shown)
        async with self._arrived:
            self.shown.append(shown)
            if good:
                self.lines += body.splitlines()
            self._arrived.notify_all()
        return web.Response(status=200 if good else 401, text="" if good else "who are you?")

    async def has(self, count: int) -> list[bytes]:
        async with self._arrived:
            await asyncio.wait_for(self._arrived.wait_for(lambda: len(self.lines) >= count), PATIENCE_S)
        return self.lines


@pytest.fixture
async def secure() -> AsyncIterator[SecureServer]:
    server = SecureServer()
    yield server
    await server.stop()


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def foreign(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "foreign")


def sink(server: SecureServer, **changes: Any) -> dict[str, Any]:
    return {"url": f"https://localhost:{server.port}/in", "encoding": "raw", **changes}


async def test_an_authority_of_ones_own(ship: Start, secure: SecureServer, ours: Authority, log: Path) -> None:
    await secure.start(ours.issue("localhost"))
    log.write_bytes(b"a\nb\n")
    shipper = await ship(sink=sink(secure, tls={"ca_file": str(ours.certificate)}, compression="gzip"))
    assert await secure.has(2) == [b"a", b"b"]
    assert await shipper.stop() == 0


async def test_certificates_on_both_sides_and_another_name(
    ship: Start, secure: SecureServer, ours: Authority, log: Path
) -> None:
    await secure.start(ours.issue("logs.example"), clients=ours)
    log.write_bytes(b"a\n")
    tls = {"ca_file": str(ours.certificate), "cert_file": str(ours.issue("web-1")), "server_name": "logs.example"}
    await ship(sink=sink(secure, tls=tls))
    assert await secure.has(1) == [b"a"]


async def test_a_foreign_authority_is_named_and_mended_without_a_restart(
    ship: Start, secure: SecureServer, ours: Authority, foreign: Authority, log: Path, tmp_path: Path
) -> None:
    await secure.start(ours.issue("localhost"))
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(foreign.certificate.read_bytes())
    log.write_bytes(b"a\nb\n")
    shipper = await ship(sink=sink(secure, tls={"ca_file": str(trusted)}))
    told = await shipper.event("sink_unavailable")
    assert told["reason"] == "tls_failed"
    assert f"localhost:{secure.port}" in told["detail"]
    assert "unable to get local issuer certificate" in told["detail"]
    metrics = await shipper.metrics()
    assert (metrics["logshipper_sink_up"], metrics["logshipper_pending_lines"]) == (0, 2)
    trusted.unlink()
    assert (await shipper.event("sink_unavailable", 2))["reason"] == "tls_file_missing"
    trusted.write_bytes(ours.certificate.read_bytes())
    assert await secure.has(2) == [b"a", b"b"]
    await shipper.event("sink_recovered")
    assert shipper.of("record_dead_lettered") == []


async def test_a_certificate_for_another_name_is_refused(
    ship: Start, secure: SecureServer, ours: Authority, log: Path
) -> None:
    await secure.start(ours.issue("logs.example"))
    log.write_bytes(b"a\n")
    shipper = await ship(sink=sink(secure, tls={"ca_file": str(ours.certificate)}))
    told = await shipper.event("sink_unavailable")
    assert told["reason"] == "tls_failed"
    assert "not valid for 'localhost'" in told["detail"]
    assert secure.lines == []


async def test_a_client_certificate_is_renewed(
    ship: Start, secure: SecureServer, ours: Authority, foreign: Authority, log: Path, tmp_path: Path
) -> None:
    await secure.start(ours.issue("localhost"), clients=ours)
    certificate = tmp_path / "client.pem"
    certificate.write_bytes(foreign.issue("web-1").read_bytes())
    log.write_bytes(b"a\n")
    shipper = await ship(sink=sink(secure, tls={"ca_file": str(ours.certificate), "cert_file": str(certificate)}))
    told = await shipper.event("sink_unavailable")
    assert told["reason"] in ("tls_failed", "connection_lost")  # the server's alert, or its end, comes first
    certificate.write_bytes(ours.issue("web-1").read_bytes())
    assert await secure.has(1) == [b"a"]


async def test_plain_http_where_tls_is_spoken(ship: Start, secure: SecureServer, ours: Authority, log: Path) -> None:
    await secure.start(ours.issue("localhost"))
    log.write_bytes(b"a\n")
    shipper = await ship(sink={"url": f"http://localhost:{secure.port}/in"})
    told = await shipper.event("sink_unavailable")
    assert told["reason"] in ("http_400", "connection_lost", "bad_answer", "everything_refused")
    assert shipper.of("record_dead_lettered") == []


async def test_basic_auth_with_a_password_that_changes(
    ship: Start, secure: SecureServer, ours: Authority, log: Path, tmp_path: Path
) -> None:
    await secure.start(ours.issue("localhost"))
    secure.wanted = "Basic " + base64.b64encode("shipper:påss".encode()).decode()
    (tmp_path / "password").write_text("wrong\n")
    log.write_bytes(b"a\n")
    basic = {"username": "shipper", "password_file": f"{tmp_path}/password"}
    shipper = await ship(sink=sink(secure, tls={"ca_file": str(ours.certificate)}, auth={"basic": basic}))
    told = await shipper.event("sink_unavailable")
    assert (told["reason"], told["action"], told["detail"]) == ("http_401", "hold", "")
    (tmp_path / "password").write_text("påss\n")
    assert await secure.has(1) == [b"a"]


@pytest.mark.parametrize(("setting", "scheme"), [("bearer_token_file", "Bearer"), ("api_key_file", "ApiKey")])
async def test_a_token_that_is_rotated_as_kubernetes_does(
    ship: Start, secure: SecureServer, ours: Authority, log: Path, tmp_path: Path, setting: str, scheme: str
) -> None:
    """Through the symlink of a mounted Secret: the folder behind it is another one from one moment to the next."""
    await secure.start(ours.issue("localhost"))
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "token").write_text(f"secret-{version}")
    (tmp_path / "..data").symlink_to(tmp_path / "1")
    (tmp_path / "token").symlink_to(tmp_path / "..data/token")
    secure.wanted = f"{scheme} secret-1"
    log.write_bytes(b"a\n")
    tls = {"ca_file": str(ours.certificate)}
    shipper = await ship(sink=sink(secure, tls=tls, auth={setting: f"{tmp_path}/token"}))
    assert await secure.has(1) == [b"a"]
    secure.wanted = f"{scheme} secret-2"
    with log.open("ab") as file:
        file.write(b"b\n")
    assert (await shipper.event("sink_unavailable"))["reason"] == "http_401"
    (tmp_path / "new").symlink_to(tmp_path / "2")
    (tmp_path / "new").rename(tmp_path / "..data")
    assert await secure.has(2) == [b"a", b"b"]
    assert not any("secret-" in str(event) for event in shipper.events)


@pytest.mark.parametrize("name", ["ca_file", "cert_file", "key_file"])
async def test_a_missing_file_at_the_start_is_the_operators_mistake(
    ship: Start, secure: SecureServer, ours: Authority, log: Path, tmp_path: Path, name: str
) -> None:
    tls = {"ca_file": str(ours.certificate), "cert_file": str(ours.issue("web-1")), name: f"{tmp_path}/gone.pem"}
    shipper = await ship(ready=False, sink=sink(secure, tls=tls, url="https://localhost:1/in"))
    assert await shipper.status() == 64
    told = shipper.of("cannot_start")[0]
    reason = f"cannot read {tmp_path}/gone.pem: No such file or directory"
    assert (told["setting"], told["reason"]) == (f"sink.tls.{name}", reason)
