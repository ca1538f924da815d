"""Fixtures: adapters as real processes, one directory per test, killed when the test is over."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter_logformat import weaver
from adapter_logformat.options import Tally
from tests.mate_process import WAIT_S, MateProcess

_BUG = Tally.bug
REPAYS = weaver.REPAYS


def _raise(tally: Tally, error: Exception) -> None:
    raise error


@pytest.fixture(scope="session", autouse=True)
def no_reader_fails() -> Iterator[None]:
    """What the adapter survives, a test must not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tally, "bug", _raise)
        yield


@pytest.fixture(scope="session", autouse=True)
def a_few_records_are_woven() -> Iterator[None]:
    """So that what is compared with the slow path comes from the fast one, without hundreds of lines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weaver, "REPAYS", 0)
        yield


@pytest.fixture
def templates_must_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """As outside of tests."""
    monkeypatch.setattr(weaver, "REPAYS", REPAYS)


@pytest.fixture
def bugs_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As outside of tests."""
    monkeypatch.setattr(Tally, "bug", _BUG)


class Adapter(MateProcess):
    """One adapter-logformat process, with a settings file of its own: others would take over what is written to it."""

    def __init__(self, config: Path, settings: dict[str, Any], **environ: str) -> None:
        super().__init__("adapter_logformat", config, settings, environ)


class Desk:
    """One test's directory: the app's logs, the output, the state, and the settings that name them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self.logs.mkdir()
        self.output = directory / "out" / "app.jsonl"
        self.settings: dict[str, Any] = {
            "inputs": [{"paths": [f"{self.logs}/*.log"]}],
            "output": {"to": f"file://{self.output}"},
            "state_dir": str(directory / "state"),
            "drain": {"quiet": "50ms"},
            "ops": {"listen": "127.0.0.1:0"},
        }
        self.started: list[MateProcess] = []
        """Killed when the test is over."""

    def start(self, **environ: str) -> Adapter:
        adapter = Adapter(self.directory / f"logformat-{len(self.started)}.yaml", self.settings, **environ)
        self.started.append(adapter)
        return adapter

    def write(self, name: str, text: str) -> None:
        with (self.logs / name).open("a") as file:
            file.write(text)

    def raw(self) -> bytes:
        """The output, oldest file first; read anew if it was rotated meanwhile."""
        while True:
            with contextlib.suppress(FileNotFoundError):
                before = self._files()
                content = b"".join(path.read_bytes() for path, _ in before)
                if self._files() == before:
                    return content

    def _files(self) -> list[tuple[Path, int]]:
        """The output's files and their inodes, oldest first."""
        numbered = sorted(self.output.parent.glob("app.jsonl.*"), key=lambda path: -int(path.suffix[1:]))
        return [(path, path.stat().st_ino) for path in [*numbered, self.output] if path.exists()]

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw().splitlines() if line.endswith(b"}")]

    def wait(self, told: Callable[[], object]) -> None:
        """Until it holds; a test never sleeps for a fixed time to decide."""
        deadline = time.monotonic() + WAIT_S
        while not told():
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.01)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    for each in made.started:
        each.kill()
