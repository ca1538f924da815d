"""The peers' programs: which of them this machine has, which versions they are, and how they are called.

Debian has rsyslog, syslog-ng, HAProxy, nginx and PgBouncer; `debian_peers.sh` brings them. rsyslog and syslog-ng
exclude each other as packages, so syslog-ng is only unpacked. Fluent Bit and Vector run if on PATH or named.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.outcome import Peer
from benchmarks.processes import found

UNPACKED = Path("/var/cache/podmates-benchmarks/peers")
"""Where debian_peers.sh unpacks what it may not install."""


@dataclass(frozen=True, slots=True)
class Known:
    """How a peer is found: on PATH, or named by the environment variable; else what to do about it."""

    program: str
    variable: str
    missing: str
    version_option: str = "--version"


def _debian(program: str, package: str, variable: str, version_option: str = "--version") -> Known:
    return Known(program, variable, f"not on this machine (apt-get install {package})", version_option)


KNOWN = {
    "rsyslog": _debian("rsyslogd", "rsyslog", "RSYSLOGD", "-v"),
    "syslog-ng": _debian("syslog-ng", "syslog-ng-core, or sh benchmarks/debian_peers.sh", "SYSLOG_NG"),
    "HAProxy": _debian("haproxy", "haproxy", "HAPROXY", "-v"),
    "nginx": _debian("nginx", "nginx libnginx-mod-stream", "NGINX", "-v"),
    "PgBouncer": _debian("pgbouncer", "pgbouncer", "PGBOUNCER"),
    "Fluent Bit": Known("fluent-bit", "FLUENT_BIT", "not in Debian; put it on PATH or name it by FLUENT_BIT="),
    "Vector": Known("vector", "VECTOR", "not in Debian; put it on PATH or name it by VECTOR="),
}


@dataclass(frozen=True, slots=True)
class Program:
    """One that is here. `root` is where its package lies: / unless it was only unpacked."""

    name: str
    path: Path
    root: Path

    def command(self, *arguments: str) -> list[str]:
        if self.root == Path("/"):
            return [str(self.path), *arguments]
        own = sorted([*self.root.glob("usr/lib/*-linux-gnu"), *self.root.glob(f"usr/lib/{self.name}")])
        return ["env", f"LD_LIBRARY_PATH={':'.join(map(str, own))}", str(self.path), *arguments]

    def modules(self) -> Path | None:
        """The directory of its modules, where it must be told: that of a package that was only unpacked."""
        if self.root == Path("/"):
            return None
        inside = {"rsyslog": "usr/lib/*/rsyslog", "syslog-ng": "usr/lib/syslog-ng/3.*"}.get(self.name)
        return next(iter(sorted(self.root.glob(inside))), None) if inside else None

    def version(self) -> str:
        """As it says itself; empty if it says none."""
        try:
            asked = self.command(KNOWN[self.name].version_option)
            done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        version = re.search(r"\d+\.\d+(?:\.\d+)*", done.stdout + done.stderr)
        return version[0] if version else ""


def find(name: str) -> Program | None:
    known = KNOWN[name]
    unpacked = next(iter(sorted(UNPACKED.glob(f"usr/sbin/{known.program}"))), None)
    path = found(known.program, known.variable) or unpacked
    if path is None:
        return None
    root = path.parent.parent.parent
    return Program(name, path, root if (root / "usr/lib").is_dir() else Path("/"))


def ran(program: Program, setups: dict[str, str]) -> Peer:
    return Peer(program.name, program.version(), setups)


def missing(name: str) -> Peer:
    return Peer(name, why_not=KNOWN[name].missing)
