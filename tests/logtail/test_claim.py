"""The claim on a checkpoint: one process has it, the kernel takes it back, and where there can be none that is told."""

from pathlib import Path

import pytest

from chassis.errors import OperatorError
from logtail.claim import Claim

from .conftest import Events


def test_a_second_one_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first, second = (Claim(tmp_path / "state/tail.json", Events()) for _ in range(2))
    first.take()
    with pytest.raises(OperatorError, match="another process"):
        second.take()
    second.release()
    first.release()
    second.take()
    second.release()


def test_where_there_can_be_none_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"no directory")
    events = Events()
    claim = Claim(tmp_path / "state/tail.json", events)
    claim.take()
    claim.release()
    (told,) = events.of("state_dir_not_claimed")
    assert told["path"] == f"{tmp_path}/state/tail.json.lock"
