"""How the runs of drivers' own suites are judged."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Work:
    """Runs in which no test differs; in the first one through the ambassador that has a bug."""

    name, version = "driver", "1"

    def __init__(self, bugs: int) -> None:
        self.bugs = 0
        self._left = bugs

    def run(self, way: str, only: object = ()) -> dict[str, str]:
        if way != "direct":
            self.bugs, self._left = self.bugs + self._left, 0
        return {"test": "passed"}


@pytest.fixture
def suites(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "suites"))
    spec = importlib.util.spec_from_file_location("suites_main", Path(__file__).parent / "suites" / "__main__.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in ("places", "catalogue"):
        if name not in before:
            sys.modules.pop(name, None)


@pytest.mark.parametrize(("bugs", "alike"), [(0, True), (1, False)])
def test_a_bug_of_the_ambassador_is_never_forgiven(suites: Any, bugs: int, alike: bool) -> None:
    assert suites.compare(Work(bugs), ["one way", "another"]) is alike
