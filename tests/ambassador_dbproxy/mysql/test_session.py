"""What a MySQL session says of a KILL that was not done."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import CapturingLogger

from ambassador_dbproxy.mysql.errors import error_body
from ambassador_dbproxy.mysql.login import ServerRefused
from ambassador_dbproxy.mysql.session import MysqlSession


@pytest.mark.parametrize(("number", "told"), [(1094, []), (1095, ["warning"])])
async def test_a_session_that_had_ended_before_its_kill_is_no_failure(number: int, told: list[str]) -> None:
    async def refuse(server: object, thread_id: int) -> None:
        raise ServerRefused(error_body(number, b"#HY000no"))

    log = CapturingLogger()
    session = SimpleNamespace(
        _logged_in=SimpleNamespace(greeted=SimpleNamespace(server=None, greeting=SimpleNamespace(thread_id=7))),
        _upstream=SimpleNamespace(kill=refuse),
        _floor=SimpleNamespace(log=log, tally=SimpleNamespace(cancels=0)),
        route=SimpleNamespace(name="dev"),
    )
    await MysqlSession._kill(cast(Any, session))
    assert [call.method_name for call in log.calls] == told
    assert session._floor.tally.cancels == 0
