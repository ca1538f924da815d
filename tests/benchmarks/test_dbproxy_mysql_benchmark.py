"""The comparison of MySQL relays in its quick form: every way answers. Never a time."""

import shutil

import pytest

from benchmarks import dbproxy_mysql


def test_every_way_answers(capsys: pytest.CaptureFixture[str]) -> None:
    for program in ("mariadbd", "mariadb-install-db", "mariadb-slap", "haproxy"):
        if shutil.which(program, path="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin") is None:
            pytest.skip(f"{program} is not on this machine")
    assert dbproxy_mysql.main(["--quick"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 3 * 4  # a head and three ways for each number of clients
