"""What is told of a file that may not be read: whose it is, who we are, what to change."""

import os
from pathlib import Path

from logtail.locked_out import who_may_not_read


def test_both_sides_are_named_and_what_each_can_do(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.touch(0o600)
    told = who_may_not_read(str(path))
    assert told.startswith(f"its mode is 0600, its user {path.stat().st_uid}, its group {path.stat().st_gid}; ")
    assert f"we are user {os.geteuid()} with groups " in told
    assert told.endswith("(in a pod: fsGroup)")


def test_a_file_that_cannot_be_looked_at_is_behind_a_closed_directory(tmp_path: Path) -> None:
    assert who_may_not_read(str(tmp_path / "absent")).endswith("may not enter its directory")
