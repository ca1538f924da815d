"""TLS: files become a context, for a client or a server.

When a context is made anew, and what a failure is called, is decided by whoever uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


def client_context(
    *,
    ca_file: Path | None = None,
    cert_file: Path | None = None,
    key_file: Path | None = None,
    verify: bool = True,
    check_hostname: bool = True,
    alpn: Sequence[str] = (),
) -> ssl.SSLContext:
    """A context that believes the authorities in `ca_file`, or the system's, and shows the certificate if there is one.

    `verify=False` believes any server. OSError (ssl.SSLError included) when a file cannot be used. The system's
    authorities take tens of milliseconds to load.
    """
    # Imported here: a mate that speaks plain text inside the cluster does not need it.
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.check_hostname = verify and check_hostname
    if not verify:
        context.verify_mode = ssl.CERT_NONE
    elif ca_file is not None:
        context.load_verify_locations(ca_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if cert_file is not None:
        _show(context, cert_file, key_file)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def server_context(cert_file: Path, key_file: Path, *, alpn: Sequence[str] = ()) -> ssl.SSLContext:
    """A context that shows this certificate and asks for none. OSError when a file cannot be used."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_NO_RENEGOTIATION
    _show(context, cert_file, key_file)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _show(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    # Without a callback OpenSSL would ask for a passphrase on the terminal.
    context.load_cert_chain(cert_file, key_file, password=lambda: "")
