"""The Authorization header of a request, its secret read anew each time so that a rotated one is used."""

import base64
from pathlib import Path

from chassis.secret import SecretUnreadable, read_secret
from sidecar_logshipper.sinks.settings import AuthSettings


def credentials(auth: AuthSettings) -> dict[str, str]:
    """As a mapping, empty where there is nothing to show; SecretUnreadable when a file cannot be used."""
    if auth.bearer_token_file is not None:
        return token(auth.bearer_token_file, "Bearer")
    if auth.api_key_file is not None:
        return token(auth.api_key_file, "ApiKey")
    if auth.basic is not None:
        pair = f"{auth.basic.username}:{read_secret(auth.basic.password_file)}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def setting_of(path: Path, auth: AuthSettings) -> str:
    """Which setting names this file of `auth`?"""
    if path == auth.bearer_token_file:
        return "bearer_token_file"
    return "api_key_file" if path == auth.api_key_file else "basic.password_file"


def token(path: Path, scheme: str) -> dict[str, str]:
    """`Authorization: <scheme> <the file's text>`."""
    text = read_secret(path).strip()
    if not text or not text.isascii() or not text.isprintable():
        raise SecretUnreadable(path, "a token is one line of ASCII")
    return {"Authorization": f"{scheme} {text}"}
