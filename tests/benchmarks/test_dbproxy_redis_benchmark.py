"""The comparison of Redis relays in its quick form: every way answers. Never a time."""

import shutil

import pytest

from benchmarks import dbproxy_redis


def test_every_way_answers(capsys: pytest.CaptureFixture[str]) -> None:
    for program in ("redis-server", "redis-benchmark", "haproxy"):
        if shutil.which(program, path="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin") is None:
            pytest.skip(f"{program} is not on this machine")
    assert dbproxy_redis.main(["--quick"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == 2
