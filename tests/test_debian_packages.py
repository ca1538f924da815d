"""The script that installs what the tests start, with stand-ins for Debian's tools: nothing is installed here."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "debian_packages.sh"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH on which nginx is installed, the user is nobody special, and apt-get must not be asked."""
    scripts = {
        "dpkg-query": 'for last; do :; done; [ "$last" = nginx ] && echo "install ok installed"',
        "id": "echo 1000",
        "apt-get": f"touch {tmp_path}/asked",
    }
    for name, script in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(tools: Path, *packages: str) -> tuple[int, str, str]:
    command = ["/bin/sh", str(SCRIPT), *packages]
    done = subprocess.run(command, env={"PATH": str(tools)}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_nothing_is_said_where_all_is_there(tools: Path) -> None:
    assert run(tools, "nginx") == (0, "", "")


def test_who_may_not_install_is_told_what_is_missing_and_goes_on(tools: Path) -> None:
    status, out, said = run(tools, "nginx", "haproxy", "redis-server")
    assert (status, out) == (0, "")
    assert said == (
        "Missing: haproxy redis-server. Tests that need them are skipped; "
        "as root on Debian: apt-get install haproxy redis-server\n"
    )
    assert not (tools / "asked").exists()


def test_without_apt_get_even_root_is_told(tools: Path) -> None:
    (tools / "id").write_text("#!/bin/sh\necho 0\n")
    (tools / "apt-get").unlink()
    assert run(tools, "haproxy")[2].startswith("Missing: haproxy. ")


def test_the_default_list_is_what_is_asked_for_without_names(tools: Path) -> None:
    said = run(tools)[2]
    assert {"mariadb-server-core", "podman", "redis-server", "rsyslog"} <= set(said.split())
