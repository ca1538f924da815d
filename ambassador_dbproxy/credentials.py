"""Passwords of a target, read anew for every login, and the slow keys derived from them, kept.

Off the loop: reading files, and PBKDF2. Nothing here is ever logged; when to try again is the login's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from ambassador_dbproxy.postgres.scram import Challenge, salted_password
from chassis.secret import SecretUnreadable, read_secret

T = TypeVar("T")
_Stamp = tuple[int, int, int, int, int]

MAX_KEYS = 64
ATTEMPTS = 3
"""File and server may change one after the other: the new password, tried too early, then the old one, too late."""


class PasswordFile:
    """The password in one file, or none. The last one that a server accepted stands in for an unreadable file."""

    def __init__(self, path: Path | None, log: Any) -> None:
        self._path = path
        self._log = log
        self._accepted: str | None = None
        self._acceptances = 0
        self._complained = ""
        self._content: tuple[_Stamp, str] | None = None

    async def read(self) -> str | None:
        """The password now; None when no file is set; SecretUnreadable when there is nothing to fall back on."""
        if self._path is None:
            return None
        try:
            stamp = _stamp(self._path)
            if self._content is not None and self._content[0] == stamp is not None:
                return self._content[1]
            password = await asyncio.to_thread(read_secret, self._path)
        except SecretUnreadable as error:
            if self._complained != error.why:
                self._complained = error.why
                self._log.error("password_unreadable", file=str(self._path), reason=error.why)
            if self._accepted is None:
                raise
            return self._accepted
        self._complained = ""
        # The stamp is older than the content: a file swapped in between is read again the next time.
        self._content = stamp and (stamp, password)
        return password

    async def read_after_refusal(self, refused: str | None) -> str | None:
        """Another password worth one more try: a rotated file, or the last accepted one if the file ran ahead."""
        self._content = None
        try:
            password = await self.read()
        except SecretUnreadable:
            return None
        return next((each for each in (password, self._accepted) if each is not None and each != refused), None)

    async def try_with(self, log_in: Callable[[str | None], Awaitable[T]], is_wrong: Callable[[Exception], bool]) -> T:
        """What `log_in` returns with the password. While its error says that this one is wrong, others are tried."""
        password = await self.read()
        for left in reversed(range(ATTEMPTS)):
            before = self._acceptances
            try:
                done = await log_in(password)
            except Exception as error:
                if not left or not is_wrong(error):
                    raise
                other = await self.read_after_refusal(password)
                if other is not None:
                    password = other
                elif self._accepted != password or self._acceptances == before:
                    raise
                # Else it was tried a moment too early: another login with it has been accepted meanwhile.
            else:
                self.accepted(password)
                return done
        raise AssertionError("the last attempt returns or raises")

    def accepted(self, password: str | None) -> None:
        """A server took this password."""
        self._accepted = password
        self._acceptances += 1


def _stamp(path: Path) -> _Stamp | None:
    """What tells one content of a file from another; one look at the inode, where reading needs a thread."""
    try:
        found = path.stat()  # follows the symlinks of a mounted Secret, which are swapped
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


class SaltedPasswords:
    """SaltedPassword values, at most MAX_KEYS, the oldest going first. One derivation serves all who wait for it."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, Challenge], asyncio.Future[bytes]] = {}

    def known(self, password: str, challenge: Challenge) -> bytes | None:
        """The salted password if it is kept."""
        derived = self._kept((password, challenge))
        return derived.result() if derived is not None and derived.done() else None

    async def derive(self, password: str, challenge: Challenge) -> bytes:
        """The salted password: from memory, or from a thread."""
        key = (password, challenge)
        known = self._kept(key)
        if known is None:
            if len(self._keys) >= MAX_KEYS:
                del self._keys[next(iter(self._keys))]
            loop = asyncio.get_running_loop()
            known = self._keys[key] = loop.run_in_executor(None, salted_password, password, challenge)
        if known.done():
            return known.result()
        # Shielded: a login that is given up must not take the result from the others.
        return await asyncio.shield(known)

    def _kept(self, key: tuple[str, Challenge]) -> asyncio.Future[bytes] | None:
        """A derivation, under way or done; one that has failed is forgotten, so that it is tried again."""
        derived = self._keys.get(key)
        if derived is not None and derived.done() and (derived.cancelled() or derived.exception() is not None):
            del self._keys[key]
            return None
        return derived
