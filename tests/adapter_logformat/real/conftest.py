"""Fixtures: servers that end with their test, and a directory that their accounts may enter."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapter_logformat.real.servers import Servers


@pytest.fixture
def servers(place: Path) -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that servers under another account may enter (pytest's own are closed to them)."""
    with tempfile.TemporaryDirectory(prefix="logformat-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)
