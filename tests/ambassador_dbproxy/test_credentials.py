"""Password files that rotate, vanish and come back; keys derived once."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from ambassador_dbproxy import credentials
from ambassador_dbproxy.credentials import ATTEMPTS, MAX_KEYS, PasswordFile, SaltedPasswords
from ambassador_dbproxy.postgres.scram import Challenge
from chassis.secret import SecretUnreadable


async def test_it_is_read_at_every_login(tmp_path: Path) -> None:
    path = tmp_path / "password"
    file = PasswordFile(path, CapturingLogger())
    for text in ("one", "two"):
        path.write_text(f"{text}\n")
        assert await file.read() == text


async def test_no_file_no_password() -> None:
    assert await PasswordFile(None, CapturingLogger()).read() is None


async def test_the_last_accepted_stands_in_and_is_said_once(tmp_path: Path) -> None:
    log = CapturingLogger()
    path = tmp_path / "password"
    file = PasswordFile(path, log)
    with pytest.raises(SecretUnreadable):
        await file.read()
    path.write_text("good")
    file.accepted(await file.read())
    path.unlink()
    assert [await file.read(), await file.read()] == ["good", "good"]
    assert [call.method_name for call in log.calls] == ["error", "error"]
    assert "good" not in repr(log.calls)


async def test_one_more_try_after_a_refusal(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old")
    file = PasswordFile(path, CapturingLogger())
    assert await file.read_after_refusal("old") is None  # nothing has changed
    path.write_text("new")
    assert await file.read_after_refusal("old") == "new"
    file.accepted("old")
    assert await file.read_after_refusal("new") == "old"  # the file ran ahead of the server


@pytest.mark.parametrize("tried", [["new"], ["new", "old"], ["new", "old", "new"]])
async def test_a_password_is_found_while_file_and_server_change(tried: list[str], tmp_path: Path) -> None:
    """The third: the server changed between the first attempt and the second one."""
    path = tmp_path / "password"
    path.write_text("new")
    file = PasswordFile(path, CapturingLogger())
    file.accepted("old")
    seen: list[str | None] = []

    async def log_in(password: str | None) -> str:
        seen.append(password)
        if password != (tried[-1] if len(seen) == len(tried) else "neither"):
            raise PermissionError
        return "in"

    assert await file.try_with(log_in, lambda error: isinstance(error, PermissionError)) == "in"
    assert seen == tried


async def test_a_refused_password_that_another_login_has_proved_meanwhile_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("new")
    file = PasswordFile(path, CapturingLogger())
    attempts = 0

    async def log_in(_: str | None) -> str:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            file.accepted("new")
            raise PermissionError
        return "in"

    assert await file.try_with(log_in, lambda error: True) == "in"
    assert attempts == 2


async def test_a_refusal_that_another_login_has_overtaken(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("new")
    file = PasswordFile(path, CapturingLogger())
    file.accepted("old")
    seen: list[str | None] = []

    async def log_in(password: str | None) -> None:
        seen.append(password)
        if len(seen) == 1:
            file.accepted("new")  # the server has changed, and another login was first to see it
            raise PermissionError

    await file.try_with(log_in, lambda error: True)
    assert seen == ["new", "new"]


async def test_attempts_are_bounded_and_other_errors_are_final(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("new")
    file = PasswordFile(path, CapturingLogger())
    file.accepted("old")
    seen: list[str | None] = []

    async def refuse(password: str | None) -> None:
        seen.append(password)
        raise PermissionError

    with pytest.raises(PermissionError):
        await file.try_with(refuse, lambda error: True)
    assert len(seen) == ATTEMPTS
    with pytest.raises(PermissionError):
        await file.try_with(refuse, lambda error: False)
    assert len(seen) == ATTEMPTS + 1


async def test_the_slow_key_is_derived_once_for_all_logins_with_one_password_and_challenge() -> None:
    keys, challenge = SaltedPasswords(), Challenge(b"salt", 1)
    first, at_the_same_time = await asyncio.gather(keys.derive("p", challenge), keys.derive("p", challenge))
    assert first is at_the_same_time is await keys.derive("p", challenge)
    assert await keys.derive("rotated", challenge) != first
    assert await keys.derive("p", Challenge(b"salt", 2)) != first
    for number in range(MAX_KEYS):
        await keys.derive(str(number), challenge)
    again = await keys.derive("p", challenge)
    assert again == first
    assert again is not first  # it was the oldest, and was forgotten


async def test_a_derivation_that_failed_is_forgotten_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(password: str, challenge: Challenge) -> bytes:
        raise MemoryError

    keys, challenge = SaltedPasswords(), Challenge(b"salt", 1)
    with monkeypatch.context() as patched:
        patched.setattr(credentials, "salted_password", fail)
        with pytest.raises(MemoryError):
            await keys.derive("p", challenge)
    assert keys.known("p", challenge) is None
    assert await keys.derive("p", challenge) == keys.known("p", challenge)
