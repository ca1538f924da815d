"""Children of the local pod: ready when they say so, gone when their owner is, loud when they end by themselves."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from podmates.child import ChildFailed, ready_event
from podmates.launcher import Launcher

READY = 'import sys, time, json; print(json.dumps({"event": "ready", "port": 7}), file=sys.stderr, flush=True); '


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        ('{"event": "ready", "port": 7}', {"event": "ready", "port": 7}),
        ('{"event": "not ready"}', None),
        ('{"event": "started", "state": "ready"}', None),
        ('["ready"]', None),
        ('"ready" {', None),
        ("", None),
    ],
)
def test_the_ready_event(line: str, facts: object) -> None:
    assert ready_event(line) == facts


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def is_gone_in_time(pid: int) -> bool:
    end = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not is_alive(pid)


async def failure_of(story: Callable[[Launcher], Awaitable[object]], logs: Path) -> Exception:
    """What ends the group in which `story` runs."""
    try:
        async with asyncio.TaskGroup() as tasks:
            await story(Launcher(tasks, logs))
    except* Exception as failures:
        (failure,) = failures.exceptions
    return failure


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def test_it_is_ready_when_it_says_so_and_stops_when_asked(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        child = await Launcher(tasks, tmp_path).program("it", python(READY + "time.sleep(60)"))
        assert (await child.ready())["port"] == 7
        assert await child.stop(60) == -signal.SIGTERM
    assert json.loads((tmp_path / "it.log").read_text())["event"] == "ready"


async def test_one_that_ends_by_itself_ends_everything_and_its_last_words_are_kept(tmp_path: Path) -> None:
    async def story(launcher: Launcher) -> None:
        code = "import sys; print('first\\nlast', file=sys.stderr); sys.exit(70)"
        await (await launcher.program("it", python(code))).ready()

    failure = await failure_of(story, tmp_path)
    assert isinstance(failure, ChildFailed)
    assert str(failure) == "it ended by itself with status 70"
    assert failure.child.last_lines() == ["first", "last"]


async def test_one_that_is_not_ready_in_time_is_named(tmp_path: Path) -> None:
    async def story(launcher: Launcher) -> None:
        await (await launcher.program("it", python("import time; time.sleep(60)"))).ready(within_s=0.05)

    failure = await failure_of(story, tmp_path)
    assert isinstance(failure, ChildFailed)
    assert "it was not ready within" in str(failure)
    assert is_gone_in_time(failure.child.pid)


async def test_one_that_does_not_stop_is_named_and_ended(tmp_path: Path) -> None:
    async def story(launcher: Launcher) -> None:
        stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        child = await launcher.program("it", python(stubborn + READY + "time.sleep(60)"))
        await child.ready()
        await child.stop(0.05)

    failure = await failure_of(story, tmp_path)
    assert isinstance(failure, ChildFailed)
    assert "did not end within" in str(failure)
    assert is_gone_in_time(failure.child.pid)


async def test_it_ends_with_the_group_that_owns_it(tmp_path: Path) -> None:
    started = []

    async def story(launcher: Launcher) -> None:
        started.append(await launcher.program("it", python(READY + "time.sleep(60)")))
        await started[0].ready()
        raise RuntimeError("anything")

    await failure_of(story, tmp_path)
    assert not is_alive(started[0].pid)


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = f"""
import asyncio
from pathlib import Path
from podmates.launcher import Launcher
async def main():
    async with asyncio.TaskGroup() as tasks:
        child = await Launcher(tasks, Path({str(tmp_path)!r})).program("it", ["sleep", "60"])
        print(child.pid, flush=True)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert is_alive(pid)
        process.kill()
    assert is_gone_in_time(pid)
