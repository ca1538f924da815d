"""Which tests run beside each other where pytest-xdist spreads them over processes, as `make test` does.

A file stays with one process, in its order. The files named here are a chain: none of them runs beside another. And no
property is decided by how long an example takes, which on a busy machine says nothing, nor by chance: every run has the
same examples, and `--hypothesis-profile=by_chance` looks for others.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

UNTIMED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("by_chance", **UNTIMED)
settings.register_profile("repeatable", derandomize=True, **UNTIMED)
settings.load_profile("repeatable")

CHAIN = (
    "tests/containers/",  # one stage, and images that are built once
    "tests/podmates/test_demo.py",  # this and the next ones load the machine
    "tests/benchmarks/test_quick_runs.py",
    "tests/adapter_logformat/test_memory.py",
    "tests/ambassador_dbproxy/test_fail_over.py",
    "tests/ambassador_dbproxy/test_memory.py",
)


class FilesAndTheChain(LoadFileScheduling):
    """Hands out the chain to one process, and to the others file after file."""

    def _split_scope(self, nodeid: str) -> str:
        return "the chain" if nodeid.startswith(CHAIN) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndTheChain:
    config.option.loadscopereorder = False  # else it would begin with the files of the most tests, not the slowest
    return FilesAndTheChain(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(CHAIN))  # it takes longest, so it comes first
