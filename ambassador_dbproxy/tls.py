"""TLS to the servers of a target, and to the app: settings become a context, made anew when a file has changed.

How a protocol asks for TLS is the protocol's business; the bytes are `tls_transport`'s.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.refusal import Unusable
from ambassador_dbproxy.settings import VERIFYING, ListenTlsSettings, TlsSettings
from ambassador_dbproxy.tls_transport import TlsTransport
from chassis.errors import OperatorError
from chassis.settings import Address
from chassis.tls import client_context, server_context

ALPN: dict[str, tuple[str, ...]] = {"postgres": ("postgresql",)}
"""Protocol → what is said in a TLS handshake to speak it, by its registered name."""
_Stamp = tuple[tuple[int, int, int], ...]


class TlsFailed(Unusable):
    """No TLS session as the settings want it."""


class AppHandshakeFailed(Exception):
    """The app began TLS and did not go through with it as it should; no fault of the files or of a server."""


class Encryption:
    """The TLS of one target."""

    def __init__(self, settings: TlsSettings, alpn: tuple[str, ...], log: Any) -> None:
        self.settings = settings
        self._alpn = alpn
        self._kept = _KeptContext((settings.ca_file, settings.cert_file, settings.key_file), self._build, log)

    def wanted(self, host: Address) -> bool:
        """True if TLS is to be asked for on a connection to `host`."""
        return self.settings.mode != "disable" and not host.path

    @property
    def required(self) -> bool:
        """True if a server without TLS must not be talked to."""
        return self.settings.mode not in ("disable", "prefer")

    @property
    def direct(self) -> bool:
        """True if the handshake begins without asking for TLS first."""
        return self.settings.negotiation == "direct"

    async def protect(self, conversation: Conversation, host: Address) -> None:
        """Encrypt from here on; with verify-full, `host` as it is configured is the name that must be certified.

        Raises TlsFailed, and ConnectionEnded when the connection breaks. A limit in time is the caller's.
        """
        if conversation.take_unread():
            # Whoever is in between could have put them there, to be believed later (CVE-2021-23222).
            raise TlsFailed(f"{host}: the server sent bytes before the TLS handshake")
        context = await self._context(host)
        transport = TlsTransport(conversation.transport, conversation, context, host.host)
        conversation.transport = transport
        try:
            await transport.handshaken
        except ssl.SSLCertVerificationError as error:
            raise TlsFailed(f"{host}: certificate verify failed: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise TlsFailed(f"{host}: TLS handshake failed: {_reason(error)}") from error
        except OSError as error:
            raise ConnectionEnded from error
        if self.direct and transport.tls.selected_alpn_protocol() not in self._alpn:
            # Only so does it show that the server knows what it agreed to (ALPACA, CVE-2021-3618).
            raise TlsFailed(f"{host}: the server does not speak the expected protocol behind its TLS (no ALPN)")

    def _build(self) -> ssl.SSLContext:
        settings = self.settings
        return client_context(
            ca_file=settings.ca_file,
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            verify=settings.mode in VERIFYING,
            check_hostname=settings.mode == "verify-full",
            alpn=self._alpn,
        )

    async def _context(self, host: Address) -> ssl.SSLContext:
        try:
            return await self._kept.now()
        except OSError as error:
            raise TlsFailed(f"{host}: cannot use the TLS files: {_reason(error)}") from error


class AppEncryption:
    """The TLS that a listener offers to its app."""

    def __init__(self, settings: ListenTlsSettings, alpn: tuple[str, ...], log: Any) -> None:
        files = (settings.cert_file, settings.key_file)
        self._alpn = alpn
        self._kept = _KeptContext(files, lambda: server_context(*files, alpn=alpn), log)

    async def check(self, setting: str) -> None:
        """OperatorError naming `setting` when the files cannot be used now."""
        try:
            await self._kept.now()
        except OSError as error:
            raise OperatorError(setting, f"cannot use these files: {_reason(error)}") from error

    async def protect(self, app: Conversation, answer: bytes, *, direct: bool) -> None:
        """Send `answer` and encrypt from there on. `direct`: the app has begun already, and must name the protocol.

        Raises AppHandshakeFailed, and TlsFailed for files that never could be used. A limit in time is the caller's.
        """
        try:
            context = await self._kept.now()
        except OSError as error:
            raise TlsFailed(f"cannot use the TLS files of the listener: {_reason(error)}") from error
        if answer:
            app.send(answer)
        begun = app.take_unread()
        transport = TlsTransport(app.transport, app, context, None)
        app.transport = transport
        if begun:
            transport.data_received(begun)
        try:
            await transport.handshaken
        except OSError as error:
            raise AppHandshakeFailed(f"TLS handshake with the app failed: {_reason(error)}") from error
        if direct and transport.tls.selected_alpn_protocol() not in self._alpn:
            raise AppHandshakeFailed("the app began with TLS and did not say which protocol it speaks (no ALPN)")


class _KeptContext:
    """A context that is kept until one of its files changes. What makes them unusable is told once each."""

    def __init__(self, files: Sequence[Path | None], make: Callable[[], ssl.SSLContext], log: Any) -> None:
        self._files = [file for file in files if file is not None]
        self._make = make
        self._log = log
        self._complained = ""
        self._made: tuple[_Stamp, ssl.SSLContext] | None = None

    async def now(self) -> ssl.SSLContext:
        """For the files as they are; OSError (ssl.SSLError included) if they never could be used."""
        try:
            stamp = tuple(map(_stamp, self._files))
            if self._made is None or self._made[0] != stamp:
                # Off the loop: the system's certificates take tens of milliseconds.
                self._made = stamp, await asyncio.to_thread(self._make)
            self._complained = ""
        except OSError as error:
            if self._complained != (reason := _reason(error)):
                self._complained = reason
                self._log.warning("tls_files_unusable", files=[str(each) for each in self._files], reason=reason)
            if self._made is None:
                raise
            # Else the old ones still hold, while a file is just being replaced or until it is mended.
        return self._made[1]


def peer_certificate(conversation: Conversation) -> bytes | None:
    """The server's certificate in DER form, if the connection is encrypted."""
    transport = conversation.transport
    return transport.tls.getpeercert(binary_form=True) if isinstance(transport, TlsTransport) else None


def ended_by_tls(conversation: Conversation, host: Address) -> TlsFailed | None:
    """What to say if TLS ended this connection: only after the handshake does a server refuse our certificate."""
    failure = conversation.failure
    return TlsFailed(f"{host}: TLS failed: {_reason(failure)}") if isinstance(failure, ssl.SSLError) else None


def _stamp(file: Path) -> tuple[int, int, int]:
    found = file.stat()  # follows the symlinks of a mounted Secret, which are swapped
    return found.st_ino, found.st_mtime_ns, found.st_size


def _reason(error: OSError) -> str:
    """OpenSSL's own short words where there are some; its long form names source files."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str) and reason:
        return reason.lower().replace("_", " ")
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{error.strerror or error}"
