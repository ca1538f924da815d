"""Passwords of a target, read anew for every login, and the slow keys derived from them, kept.

Off the loop: reading files, and PBKDF2. Nothing here is ever logged; when to try again is the login's business.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from ambassador_dbproxy.postgres.scram import Challenge, salted_password
from chassis.secret import SecretUnreadable, read_secret

MAX_KEYS = 64


class PasswordFile:
    """The password in one file, or none. The last one that a server accepted stands in for an unreadable file."""

    def __init__(self, path: Path | None, log: Any) -> None:
        self._path = path
        self._log = log
        self._accepted: str | None = None
        self._complained = ""

    async def read(self) -> str | None:
        """The password now; None when no file is set; SecretUnreadable when there is nothing to fall back on."""
        if self._path is None:
            return None
        try:
            password = await asyncio.to_thread(read_secret, self._path)
        except SecretUnreadable as error:
            if self._complained != error.why:
                self._complained = error.why
                self._log.error("password_unreadable", file=str(self._path), reason=error.why)
            if self._accepted is None:
                raise
            return self._accepted
        self._complained = ""
        return password

    async def read_after_refusal(self, refused: str | None) -> str | None:
        """Another password worth one more try: a rotated file, or the last accepted one if the file ran ahead."""
        try:
            password = await self.read()
        except SecretUnreadable:
            return None
        return next((each for each in (password, self._accepted) if each is not None and each != refused), None)

    def accepted(self, password: str | None) -> None:
        """A server took this password."""
        self._accepted = password


class SaltedPasswords:
    """SaltedPassword values, at most MAX_KEYS, the oldest going first. One derivation serves all who wait for it."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, Challenge], asyncio.Future[bytes]] = {}

    async def derive(self, password: str, challenge: Challenge) -> bytes:
        """The salted password: from memory, or from a thread."""
        key = (password, challenge)
        known = self._keys.get(key)
        if known is None:
            if len(self._keys) >= MAX_KEYS:
                del self._keys[next(iter(self._keys))]
            loop = asyncio.get_running_loop()
            known = self._keys[key] = loop.run_in_executor(None, salted_password, password, challenge)
        # Shielded: a login that is given up must not take the result from the others.
        return await asyncio.shield(known)
