"""Secrets come from files only, and are read again at every use so that a rotated one is seen.

Mounted Secrets are swapped through a symlink, so the path is opened anew each time and no descriptor is kept.
"""

from pathlib import Path

LARGEST_SECRET = 64 * 1024


class SecretUnreadable(Exception):
    """The file of a secret cannot be used. The text names the path and the reason, never the content."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"cannot read the secret {path}: {why}")
        self.path = path
        self.why = why


def read_secret(path: Path) -> str:
    """The text of `path` without one trailing newline; SecretUnreadable when absent, too large or not UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_SECRET + 1)
    except OSError as error:
        raise SecretUnreadable(path, error.strerror or type(error).__name__) from error
    if len(raw) > LARGEST_SECRET:
        raise SecretUnreadable(path, f"larger than {LARGEST_SECRET} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        # No cause attached: a UnicodeDecodeError carries the bytes it failed on.
        raise SecretUnreadable(path, "not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")
