"""Quantities as people write them in settings: `1MiB`, `30s`, `127.0.0.1:5432`, `unix:///run/x.sock`.

Pure values. Reading a settings file is left to `settings`.
"""

import re
from typing import Self

_SIZE_FACTORS = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_SECONDS_FACTORS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_LARGEST_PORT = 65535
_LARGEST_QUANTITY = 1e18


def _quantity(value: object, factors: dict[str, float] | dict[str, int], example: str) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected a quantity such as {example}, got {value!r}")
    match = _QUANTITY.fullmatch(str(value))
    factor = factors.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"expected a quantity such as {example}, got {value!r}")
    quantity = float(match[1]) * factor
    if quantity > _LARGEST_QUANTITY:
        raise ValueError(f"{value!r} is more than there can be")
    return quantity


class Size(int):
    """A number of bytes: `1MiB` (1024²), `10MB` (10⁷), `4096`. ValueError on anything else."""

    def __new__(cls, value: object) -> Self:
        return super().__new__(cls, _quantity(value, _SIZE_FACTORS, "64KiB or 1MiB"))

    def __str__(self) -> str:
        for suffix, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
            if self and self % factor == 0:
                return f"{self // factor}{suffix}"
        return str(int(self))


class Seconds(float):
    """A span of time in seconds: `200ms`, `30s`, `5m`, `1h`, `2.5`. ValueError on anything else."""

    def __new__(cls, value: object) -> Self:
        return super().__new__(cls, _quantity(value, _SECONDS_FACTORS, "200ms, 30s or 5m"))

    def __str__(self) -> str:
        if 0 < self < 1:
            return f"{self * 1000:g}ms"
        for suffix, factor in (("h", 3600), ("m", 60)):
            if self and self % factor == 0:
                return f"{self / factor:g}{suffix}"
        return f"{float(self):g}s"


class Address(str):
    """Where to listen or connect: `host` and `port` (0 to 65535), or the `path` of a unix socket.

    Written `127.0.0.1:5432`, `[::1]:80` or `unix:///run/x.sock`. ValueError on anything else.
    """

    __slots__ = ("host", "path", "port")
    host: str
    port: int
    path: str

    def __new__(cls, value: object) -> Self:
        if not isinstance(value, str):
            raise ValueError(f"expected host:port or unix:///path, got {value!r}")
        self = super().__new__(cls, value)
        if value.startswith("unix://"):
            self.host, self.port, self.path = "", 0, value.removeprefix("unix://")
            if not self.path.startswith("/"):
                raise ValueError(f"expected an absolute socket path as in unix:///run/x.sock, got {value!r}")
            return self
        host, colon, port = value.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"write an IPv6 address in brackets, as in [::1]:80, got {value!r}")
        if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > _LARGEST_PORT:
            raise ValueError(f"expected host:port with a port of 0 to 65535, got {value!r}")
        self.host, self.port, self.path = host, int(port), ""
        return self

    @classmethod
    def of(cls, host: str, port: int) -> Self:
        """The address of a socket that is bound or connected."""
        return cls(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    @property
    def is_loopback(self) -> bool:
        """True when nothing outside this pod can reach it: a unix socket or a loopback address."""
        return bool(self.path) or self.host in ("localhost", "::1") or self.host.startswith("127.")
