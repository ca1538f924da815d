"""TLS to the servers of one target: its settings become a context, made anew when a file has changed.

How a protocol asks its server for TLS is the protocol's business; the bytes are `tls_transport`'s.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.refusal import Unusable
from ambassador_dbproxy.settings import VERIFYING, TlsSettings
from ambassador_dbproxy.tls_transport import TlsTransport
from chassis.settings import Address
from chassis.tls import client_context

_Stamp = tuple[tuple[int, int, int], ...]


class TlsFailed(Unusable):
    """No TLS session as the settings want it."""


class Encryption:
    """The TLS of one target."""

    def __init__(self, settings: TlsSettings, alpn: tuple[str, ...] = ()) -> None:
        self.settings = settings
        self._alpn = alpn
        self._made: tuple[_Stamp, ssl.SSLContext] | None = None

    def wanted(self, host: Address) -> bool:
        """True if TLS is to be asked for on a connection to `host`."""
        return self.settings.mode != "disable" and not host.path

    @property
    def required(self) -> bool:
        """True if a server without TLS must not be talked to."""
        return self.settings.mode not in ("disable", "prefer")

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

    async def _context(self, host: Address) -> ssl.SSLContext:
        """The context for the files as they are now; kept until one of them changes."""
        try:
            stamp = tuple(map(_stamp, self._files()))
            if self._made is None or self._made[0] != stamp:
                # Off the loop: the system's certificates take tens of milliseconds.
                self._made = stamp, await asyncio.to_thread(_build, self.settings, self._alpn)
        except (OSError, ssl.SSLError) as error:
            if self._made is not None:
                return self._made[1]  # a file that is just being replaced: the old ones still hold
            raise TlsFailed(f"{host}: cannot use the TLS files: {_reason(error)}") from error
        return self._made[1]

    def _files(self) -> list[Path]:
        files = (self.settings.ca_file, self.settings.cert_file, self.settings.key_file)
        return [file for file in files if file is not None]


def peer_certificate(conversation: Conversation) -> bytes | None:
    """The server's certificate in DER form, if the connection is encrypted."""
    transport = conversation.transport
    return transport.tls.getpeercert(binary_form=True) if isinstance(transport, TlsTransport) else None


def ended_by_tls(conversation: Conversation, host: Address) -> TlsFailed | None:
    """What to say if TLS ended this connection: only after the handshake does a server refuse our certificate."""
    failure = conversation.failure
    return TlsFailed(f"{host}: TLS failed: {_reason(failure)}") if isinstance(failure, ssl.SSLError) else None


def _build(settings: TlsSettings, alpn: tuple[str, ...]) -> ssl.SSLContext:
    return client_context(
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
        verify=settings.mode in VERIFYING,
        check_hostname=settings.mode == "verify-full",
        alpn=alpn,
    )


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
