"""Secrets from files."""

from pathlib import Path

import pytest

from chassis.secret import LARGEST_SECRET, SecretUnreadable, read_secret


@pytest.mark.parametrize(
    ("raw", "secret"), [(b"s3cret\n", "s3cret"), (b"s3cret\r\n", "s3cret"), (b" a b \n\n", " a b \n"), (b"", "")]
)
def test_one_trailing_newline_is_not_part_of_it(tmp_path: Path, raw: bytes, secret: str) -> None:
    (tmp_path / "password").write_bytes(raw)
    assert read_secret(tmp_path / "password") == secret


def test_a_swapped_symlink_is_seen(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).write_text(name)
    link = tmp_path / "password"
    link.symlink_to("old")
    assert read_secret(link) == "old"
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").rename(link)
    assert read_secret(link) == "new"


@pytest.mark.parametrize(("raw", "why"), [(None, "No such file"), (b"\xff", "not UTF-8"), (b"x" * 65537, "larger")])
def test_why_it_cannot_be_used_without_its_content(tmp_path: Path, raw: bytes | None, why: str) -> None:
    path = tmp_path / "password"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(SecretUnreadable, match=why) as caught:
        read_secret(path)
    assert str(path) in str(caught.value)
    assert caught.value.__cause__ is None or raw is None
    assert "xxx" not in str(caught.value)
    assert LARGEST_SECRET == 65536
