"""Asking the Sentinels of a target where its servers are, and being told when the primary changes.

What they say is a hint: the role of every server is checked at its login.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import NoReturn

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.credentials import PasswordFile
from ambassador_dbproxy.dial import Unreachable, dial
from ambassador_dbproxy.redis.login import auth, auth_refusal
from ambassador_dbproxy.redis.resp import ErrorReply, ProtocolViolation, Reply, ReplyReader
from ambassador_dbproxy.redis.sentinel import (
    ANSWERS,
    SUBSCRIBE,
    Known,
    agreed,
    is_switch,
    question,
    read_answers,
)
from ambassador_dbproxy.settings import SentinelSettings, TargetSettings
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import Encryption, TlsFailed
from chassis.backoff import full_jitter
from chassis.secret import SecretUnreadable
from chassis.settings import Address

FIRST_PAUSE_S = 0.1


class Sentinels:
    """The Sentinels of one target."""

    def __init__(
        self, target: TargetSettings, settings: SentinelSettings, encryption: Encryption, around: Surroundings
    ) -> None:
        self._hosts = target.hosts
        self._with_replicas = target.role != "primary"
        self._settings = settings
        self._encryption = encryption
        self._around = around
        self._password = PasswordFile(settings.password_file, around.log)

    async def find(self) -> tuple[Address, ...]:
        """The servers that the Sentinels know, the likeliest primary first. Unreachable if none of them knows."""
        outcomes = await asyncio.gather(*(self._ask(host) for host in self._hosts))
        known = [outcome for outcome in outcomes if isinstance(outcome, Known)]
        if not known:
            raise Unreachable("; ".join(str(outcome) for outcome in outcomes))
        return agreed(known, with_replicas=self._with_replicas)

    async def watch(self, on_switch: Callable[[], None]) -> NoReturn:
        """Stay subscribed to one Sentinel after another, and call `on_switch` when the primary has changed."""
        pauses = full_jitter(FIRST_PAUSE_S, self._around.probe_interval_s, self._around.random)
        while True:
            for host in self._hosts:
                # What is wrong with one is told by `find`.
                with contextlib.suppress(*_FAILURES):
                    await self._listen(host, on_switch)
            await asyncio.sleep(next(pauses))

    async def _ask(self, host: Address) -> Known | Unreachable:
        try:
            async with asyncio.timeout(self._around.connect_timeout_s):
                conversation, replies = await self._connect(host)
                try:
                    conversation.send(question(self._settings.primary))
                    answers = [await _next(conversation, replies) for _ in range(ANSWERS)]
                finally:
                    conversation.close()
            found = read_answers(*answers)
        except _FAILURES as error:
            return Unreachable(f"Sentinel {host}: {_words(error)}")
        return found or Unreachable(f"Sentinel {host}: knows no primary {self._settings.primary!r}")

    async def _listen(self, host: Address, on_switch: Callable[[], None]) -> NoReturn:
        async with asyncio.timeout(self._around.connect_timeout_s):
            conversation, replies = await self._connect(host)
        try:
            conversation.send(SUBSCRIBE)
            while True:
                if is_switch(await _next(conversation, replies), self._settings.primary):
                    self._around.log.info("primary_switched", sentinel=str(host), primary=self._settings.primary)
                    on_switch()
        finally:
            conversation.close()

    async def _connect(self, host: Address) -> tuple[Conversation, ReplyReader]:
        """Connected, encrypted as the target is, and logged in if that is set."""
        conversation = await dial(host, self._around.connect_timeout_s)
        replies = ReplyReader()
        try:
            if self._encryption.wanted(host):
                await self._encryption.protect(conversation, host)
            password = await self._password.read()
            if password is not None:
                conversation.send(auth(self._settings.user, password))
                if isinstance(refused := await _next(conversation, replies), ErrorReply):
                    raise ProtocolViolation(auth_refusal(refused, password).text)
        except BaseException:
            conversation.abort()
            raise
        return conversation, replies


_FAILURES = (Unreachable, ConnectionEnded, TimeoutError, ProtocolViolation, TlsFailed, SecretUnreadable)


async def _next(conversation: Conversation, replies: ReplyReader) -> Reply:
    while (reply := replies.next_reply()) is None:
        replies.feed(await conversation.receive())
    return reply[0]


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionEnded):
        return "closed the connection"
    return "no answer in time" if isinstance(error, TimeoutError) else str(error)
