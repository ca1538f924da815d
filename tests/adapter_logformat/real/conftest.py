"""Fixtures: servers that end with their test, and a directory that their accounts may enter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapter_logformat.real.servers import Servers


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory that servers under another account may enter."""
    for directory in (tmp_path, *tmp_path.parents[:3]):
        if directory.stat().st_uid == tmp_path.stat().st_uid:
            directory.chmod(0o755)
    return tmp_path
