"""Ports for servers that cannot ask the kernel for one, or must come back on the one they had."""

import random
import socket
from pathlib import Path

HIGHEST_USUAL = 32_767
LOWEST = 10_000


def free_port(choose: random.Random, host: str = "127.0.0.1") -> int:
    """A port nobody listens on, below the range the kernel hands to outgoing connections.

    Inside that range a client could be given the port while its server is down, and even connect to itself.
    """
    for _ in range(200):
        port = choose.randint(LOWEST, _below_ephemeral())
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port found on {host}")


def _below_ephemeral() -> int:
    try:
        lowest_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return HIGHEST_USUAL
    return lowest_ephemeral - 1 if lowest_ephemeral > LOWEST + 1000 else HIGHEST_USUAL
