"""Which tests run beside each other where pytest-xdist spreads them over processes, as `make test` does.

A file stays with one process, in its order. The files named here are a chain: none of them runs beside another.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

CHAIN = (
    "tests/containers/",  # one stage, and images that are built once
    "tests/podmates/test_demo.py",  # this and the next ones load the machine
    "tests/benchmarks/test_quick_runs.py",
    "tests/adapter_logformat/test_memory.py",
    "tests/ambassador_dbproxy/test_fail_over.py",
    "tests/ambassador_dbproxy/test_memory.py",
)


class FilesAndTheChain(LoadFileScheduling):
    """Hands out the files in the order of their names, and the whole chain at the place of its first."""

    def _split_scope(self, nodeid: str) -> str:
        return "the chain" if nodeid.startswith(CHAIN) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndTheChain:
    config.option.loadscopereorder = False  # else those of the most tests come first, and the slowest last
    return FilesAndTheChain(config, log)
