"""A whole life of a mate, as a real process: start, probes, reload, drain, exit status."""

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chassis import __version__
from tests.mate_process import ROOT, WAIT_S


class Running:
    """A toy mate: its events as they come, its ops endpoint, its exit status."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ops = ""

    async def event(self, name: str, **facts: Any) -> dict[str, Any]:
        """The next event of that name with these facts; the ones before it are passed over."""
        assert self.process.stderr
        while line := await self.process.stderr.readline():
            event = json.loads(line)
            if event["event"] == name and all(event.get(key) == facts[key] for key in facts):
                return event
        raise AssertionError(f"the process ended without {name}")

    async def ready(self) -> dict[str, Any]:
        event = await self.event("ready")
        self.ops = f"http://{event['ops']}"
        return event

    async def ask(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.ops + path, headers=headers) as answer,
        ):
            return answer.status, await answer.text()


@pytest.fixture
async def toy() -> AsyncIterator[Callable[..., Any]]:
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str, **environ: str) -> Running:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("toy_mate.py")),
            *arguments,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return Running(process)

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_probes_follow_the_phase(toy: Callable[..., Any]) -> None:
    mate = await toy(TOY__DRAINS="when told")
    assert (await mate.ready())["word"] == "first"
    assert [await mate.ask("GET", path) for path in ("/livez", "/startupz", "/readyz")] == [
        (200, "alive\n"),
        (200, "ready\n"),
        (200, "ready\n"),
    ]
    status, metrics = await mate.ask("GET", "/metrics")
    assert status == 200
    assert "process_resident_memory_bytes" in metrics
    assert f'mate_info{{version="{__version__}"}} 1.0\n' in metrics
    assert "\nmate_ready 1.0\n" in metrics
    mate.process.send_signal(signal.SIGTERM)
    await mate.event("draining")
    assert "\nmate_ready 0.0\n" in (await mate.ask("GET", "/metrics"))[1]
    assert [await mate.ask("GET", path) for path in ("/livez", "/startupz", "/readyz")] == [
        (200, "alive\n"),
        (200, "draining\n"),
        (503, "draining\n"),
    ]
    assert await mate.ask("POST", "/release") == (200, "released\n")
    await mate.event("closed")
    assert await mate.process.wait() == 0


async def test_quitquitquit_drains_too_but_not_for_a_web_page(toy: Callable[..., Any]) -> None:
    mate = await toy()
    await mate.ready()
    assert (await mate.ask("GET", "/quitquitquit"))[0] == 405
    assert (await mate.ask("POST", "/quitquitquit", Origin="http://evil.example"))[0] == 403
    assert await mate.ask("POST", "/quitquitquit") == (200, "stopping\n")
    assert (await mate.event("stop_asked"))["reason"] == "quitquitquit"
    assert await mate.process.wait() == 0


async def test_the_deadline_ends_a_drain_and_the_status_says_so(toy: Callable[..., Any]) -> None:
    mate = await toy(TOY__DRAINS="never", TOY__DRAIN__DEADLINE="50ms")
    await mate.ready()
    mate.process.send_signal(signal.SIGTERM)
    assert (await mate.event("drain_cut_short"))["reason"] == "deadline"
    await mate.event("closed")
    assert await mate.process.wait() == 75


async def test_a_thread_that_hangs_while_closing_does_not_hold_up_the_end(toy: Callable[..., Any]) -> None:
    mate = await toy(TOY__FAILS="close hangs")
    await mate.ready()
    mate.process.send_signal(signal.SIGTERM)
    await mate.event("close_cut_short")
    assert (await mate.event("stopped"))["status"] == 75
    assert await asyncio.wait_for(mate.process.wait(), WAIT_S) == 75


async def test_ctrl_c_while_draining_ends_the_drain_at_once(toy: Callable[..., Any]) -> None:
    mate = await toy(TOY__DRAINS="never", TOY__DRAIN__DEADLINE="1h")
    await mate.ready()
    mate.process.send_signal(signal.SIGINT)
    await mate.event("draining")
    mate.process.send_signal(signal.SIGINT)
    assert (await mate.event("drain_cut_short"))["reason"] == "interrupted"
    assert await mate.process.wait() == 75


async def test_a_second_sigterm_changes_nothing(toy: Callable[..., Any]) -> None:
    mate = await toy(TOY__DRAINS="when told")
    await mate.ready()
    mate.process.send_signal(signal.SIGTERM)
    await mate.event("draining")
    mate.process.send_signal(signal.SIGTERM)
    assert await mate.ask("POST", "/release") == (200, "released\n")
    await mate.event("closed")
    assert await mate.process.wait() == 0


@pytest.mark.parametrize(
    ("fails", "event", "status"),
    [
        ("build", "cannot_start", 64),
        ("start", "cannot_start", 64),
        ("start bug", "bug", 70),
        ("run", "bug", 70),
        ("returns", "bug", 70),
        ("drain", "drain_failed", 70),
        ("close", "bug", 70),
    ],
)
async def test_failures_are_loud(toy: Callable[..., Any], fails: str, event: str, status: int) -> None:
    mate = await toy(TOY__FAILS=fails)
    if fails in ("drain", "close"):
        await mate.ready()
        mate.process.send_signal(signal.SIGTERM)
    assert (await mate.event(event))["reason"] == {
        "build": "cannot be built",
        "start": "is not a word",
        "start bug": "a bug at start",
        "close": "a bug at close",
        "run": "a bug",
        "returns": "ended although nobody asked",
        "drain": "a bug while draining",
    }[fails]
    if fails not in ("build", "close"):
        assert (await mate.event("closed"))["path"] == "caf\\xe9.log", "any bytes of a file's name can be logged"
    assert await mate.process.wait() == status


async def test_a_stop_waits_for_the_start_no_longer_than_for_a_drain(toy: Callable[..., Any]) -> None:
    mate = await toy(TOY__FAILS="start hangs", TOY__DRAIN__DEADLINE="50ms")
    await mate.event("hanging")
    mate.process.send_signal(signal.SIGTERM)
    assert (await mate.event("start_cut_short"))["reason"] == "deadline"
    await mate.event("closed")
    assert await mate.process.wait() == 75


async def test_ctrl_c_pressed_again_ends_a_start_that_hangs(toy: Callable[..., Any]) -> None:
    mate = await toy(TOY__FAILS="start hangs", TOY__DRAIN__DEADLINE="1h")
    await mate.event("hanging")
    mate.process.send_signal(signal.SIGINT)
    await mate.event("stop_asked")
    mate.process.send_signal(signal.SIGINT)
    assert (await mate.event("start_cut_short"))["reason"] == "interrupted"
    await mate.event("closed")
    assert await mate.process.wait() == 75


async def test_a_client_that_holds_on_does_not_hold_the_end(toy: Callable[..., Any]) -> None:
    mate = await toy()
    ready = await mate.ready()
    host, _, port = ready["ops"].rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab")
    await writer.drain()
    mate.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):  # far below the 60 s a server may wait for its clients
        assert await mate.process.wait() == 0
    writer.close()


async def test_a_log_that_nobody_reads_stops_nothing(toy: Callable[..., Any]) -> None:
    mate = await toy()
    await mate.ready()
    mate.process.stderr._transport.close()
    mate.process.send_signal(signal.SIGTERM)
    assert await mate.process.wait() == 0


async def test_it_may_open_as_many_files_as_it_is_ever_allowed(toy: Callable[..., Any]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard))
    try:
        mate = await toy()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    await mate.ready()
    assert resource.prlimit(mate.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)


class TestReload:
    async def test_a_changed_file_and_a_signal(self, toy: Callable[..., Any], tmp_path: Path) -> None:
        path = tmp_path / "toy.yaml"
        path.write_text("word: second\n")
        mate = await toy("--config", str(path))
        assert (await mate.ready())["word"] == "second"
        path.write_text("word: third\n")
        assert (await mate.event("reloaded"))["file"] == str(path)
        path.write_text("wrod: fourth\n")
        mate.process.send_signal(signal.SIGHUP)
        # Found by a look just before the signal, a mistake is told twice.
        await mate.event("reload_refused", mistakes=["wrod: unknown setting; did you mean word?"])
        path.write_text("word: refused\n")
        await mate.event("reload_refused", mistakes=["word: cannot change to that"])
        assert await mate.ask("GET", "/readyz") == (200, "ready\n")


class TestCommandLine:
    async def test_a_mistake_is_one_event_and_exit_status_64(self, toy: Callable[..., Any]) -> None:
        mate = await toy(TOY__WROD="x", TOY__DRAIN__DEADLINE="soon")
        told = await mate.event("settings_refused")
        assert told["mistakes"] == [
            "wrod: unknown setting; did you mean word? (set by TOY__WROD)",
            "drain.deadline: expected a quantity such as 200ms, 30s or 5m, got 'soon' (set by TOY__DRAIN__DEADLINE)",
        ]
        assert told["note"].startswith("there is no /etc/podmates/toy.yaml, so the environment alone was read")
        assert await mate.process.wait() == 64

    async def test_a_port_in_use_is_named(self, toy: Callable[..., Any]) -> None:
        first = await toy()
        taken = (await first.ready())["ops"]
        second = await toy(TOY__OPS__LISTEN=taken)
        told = await second.event("cannot_start")
        assert (told["setting"], told["reason"]) == (
            "ops.listen",
            f"cannot listen on {taken}: address already in use",
        )
        assert await second.process.wait() == 64

    async def test_check_says_good_or_names_the_mistakes_as_text(self, toy: Callable[..., Any], tmp_path: Path) -> None:
        path = tmp_path / "toy.yaml"
        path.write_text("word: x\n")
        good = await toy("--check", "--config", str(path))
        assert await good.process.communicate() == (f"{path}: settings are good\n".encode(), b"")
        path.write_text("wrod: x\n")
        bad = await toy("--check", "--config", str(path))
        out, err = await bad.process.communicate()
        assert (bad.process.returncode, out) == (64, b"")
        assert err.decode() == f"{path}: wrod: unknown setting; did you mean word?\n"

    async def test_check_names_a_file_that_cannot_be_read_once(self, toy: Callable[..., Any], tmp_path: Path) -> None:
        absent = tmp_path / "absent.yaml"
        out, err = await (await toy("--check", "--config", str(absent))).process.communicate()
        assert (out, err.decode()) == (b"", f"{absent}: cannot read the settings file: No such file or directory\n")

    async def test_a_mistyped_command_line_is_the_operators_mistake(self, toy: Callable[..., Any]) -> None:
        mate = await toy("--chek", "--confg", "x")
        _, err = await mate.process.communicate()
        assert mate.process.returncode == 64
        assert b"unrecognized arguments: --chek" in err

    async def test_schema(self, toy: Callable[..., Any]) -> None:
        out, _ = await (await toy("--schema")).process.communicate()
        assert json.loads(out)["properties"]["word"] == {"type": "string", "default": "first"}

    async def test_version(self, toy: Callable[..., Any]) -> None:
        out, _ = await (await toy("--version")).process.communicate()
        assert out.decode() == f"podmates {__version__}\n"
