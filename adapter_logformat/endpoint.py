"""Addresses of inputs and outputs as settings write them: `udp://127.0.0.1:5514`, `unix:///run/log.sock`, `stdout:`.

Pure values. Who may use which scheme the settings know.
"""

from dataclasses import dataclass
from typing import Final

LARGEST_PORT: Final = 65535
NETWORK: Final = ("udp", "tcp")
PATHS: Final = ("file", "unix", "unixgram", "fifo")
BARE: Final = ("stdin", "stdout")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`host` and `port` of a network scheme, `path` of the others; both empty for stdin and stdout."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def of(cls, text: str, schemes: tuple[str, ...]) -> "Endpoint":
        """ValueError, with what to write instead, for anything that is none of `schemes`."""
        scheme, colon, rest = text.partition(":")
        wanted = ", ".join(f"{each}:" if each in BARE else f"{each}://" for each in schemes)
        if not colon or scheme not in schemes:
            raise ValueError(f"expected one of {wanted}, got {text!r}")
        if scheme in BARE:
            if rest not in ("", "//"):
                raise ValueError(f"{scheme}: stands alone, got {text!r}")
            return cls(scheme)
        if not rest.startswith("//"):
            raise ValueError(f"expected {scheme}://…, got {text!r}")
        if scheme in PATHS:
            path = rest[2:]
            if not path.startswith("/") or path.endswith("/"):
                raise ValueError(f"expected an absolute path as in {scheme}:///var/log/podmates/app, got {text!r}")
            return cls(scheme, path=path)
        return cls._network(scheme, rest[2:], text)

    @classmethod
    def _network(cls, scheme: str, rest: str, text: str) -> "Endpoint":
        host, colon, port = rest.rpartition(":")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        digits = port.isascii() and port.isdigit()
        if not colon or not digits or int(port) > LARGEST_PORT or "/" in host:
            raise ValueError(f"expected {scheme}://127.0.0.1:5514, got {text!r}")
        # Without a host it is loopback: what listens to the world must say so.
        return cls(scheme, host or "127.0.0.1", int(port))

    @property
    def is_inside_the_pod(self) -> bool:
        """Can nothing outside this pod reach it?"""
        return self.scheme not in NETWORK or self.host in ("localhost", "::1") or self.host.startswith("127.")

    def __str__(self) -> str:
        if self.scheme in BARE:
            return f"{self.scheme}:"
        if self.scheme in PATHS:
            return f"{self.scheme}://{self.path}"
        return (
            f"{self.scheme}://[{self.host}]:{self.port}"
            if ":" in self.host
            else f"{self.scheme}://{self.host}:{self.port}"
        )
