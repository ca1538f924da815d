"""OpenSSH's server with peers of all kinds: who it says came is who came, in its own log file and behind a syslog
header."""

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapter_logformat.real.servers import WAIT_S, Record, Servers, exchange, free_port, program, read, wait


class Sshd:
    """A server that lets root in with one key, and its log."""

    def __init__(self, servers: Servers, place: Path) -> None:
        if os.geteuid():
            pytest.skip("needs root: sshd makes the sessions of other accounts")
        sshd = program("sshd", "openssh-server")
        self._ssh = program("ssh", "openssh-client")
        self._keygen = program("ssh-keygen", "openssh-client")
        self._place, self.port, self.log = place, free_port(), place / "sshd.log"
        for name in ("host", "good", "other"):
            subprocess.run([self._keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)], check=True)
        (place / "authorized").write_text((place / "good.pub").read_text())
        (place / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nListenAddress ::1\nPort {self.port}\nHostKey {place}/host\n"
            f"AuthorizedKeysFile {place}/authorized\nPidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxAuthTries 2\nLogLevel VERBOSE\n"
        )
        servers.start([sshd, "-D", "-f", str(place / "sshd_config"), "-E", str(self.log)], place / "out")
        wait(lambda: "Server listening" in self.text(), (place / "out").read_text())

    def text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def login(self, user: str, key: str, host: str = "127.0.0.1", *options: str) -> int:
        """The client's exit status."""
        command = [
            self._ssh, "-F", "none", "-p", str(self.port), "-i", str(self._place / key), "-l", user,
            "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self._place}/known",
            "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", *options, host, "true",
        ]  # fmt: skip
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S).returncode

    def waits_for(self, text: str) -> None:
        wait(lambda: text in self.text(), f"{text!r} is not in the log:\n{self.text()}")


@pytest.fixture
def sshd(servers: Servers, place: Path) -> Iterator[Sshd]:
    empty = Path("/run/sshd")  # into which Debian's server locks those that have not logged in yet
    made = os.geteuid() == 0 and not empty.exists()
    if made:
        empty.mkdir(mode=0o755)
    yield Sshd(servers, place)
    if made:
        with contextlib.suppress(OSError):
            empty.rmdir()


def peers(sshd: Sshd) -> dict[str, int]:
    """What the clients did, each with the port that it came from where it knows it."""
    assert sshd.login("root", "good") == 0
    assert sshd.login("root", "good", "::1") == 0
    assert sshd.login("root", "other") != 0
    assert sshd.login("a b", "other") != 0
    assert sshd.login("x from 192.0.2.9 port 22 ssh2", "other") != 0
    assert sshd.login("root", "other", "127.0.0.1", "-o", "KexAlgorithms=diffie-hellman-group14-sha1") != 0
    sshd.waits_for("Unable to negotiate")
    ports = {"banner": exchange(sshd.port, b"GET / HTTP/1.0\r\n\r\n")[1]}
    sshd.waits_for("invalid format")
    ports["scan"] = scan(sshd.port)
    sshd.waits_for(f"port {ports['scan']}")
    ports["garbage"] = exchange(sshd.port, b"SSH-2.0-x\r\n" + bytes(range(256)) * 40)[1]
    sshd.waits_for(f"port {ports['garbage']}")
    return ports


def scan(port: int) -> int:
    """Connects and goes away, as port scanners do."""
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as sock:
        own = int(sock.getsockname()[1])
    return own


def about(records: list[Record], beginning: str) -> list[Record]:
    return [record for record in records if record["body"].startswith(beginning)]


def check(records: list[Record], ports: dict[str, int]) -> None:
    accepted = about(records, "Accepted publickey")
    assert [record["attributes"]["client.address"] for record in accepted] == ["127.0.0.1", "::1"]
    for record in accepted:
        attributes = record["attributes"]
        assert attributes["user.name"] == "root"
        assert (attributes["app.auth.method"], attributes["app.auth.outcome"]) == ("publickey", "accepted")
        assert f"port {attributes['client.port']} ssh2" in record["body"]
    invalid = [record["attributes"]["user.name"] for record in about(records, "Invalid user")]
    assert invalid == ["a b", "x from 192.0.2.9 port 22 ssh2"]
    (failed,) = about(records, "Failed publickey")
    assert (failed["attributes"]["user.name"], failed["attributes"]["app.auth.outcome"]) == ("root", "failed")
    assert "192.0.2.9" not in {record["attributes"].get("client.address") for record in records}
    at = {port: record for record in records if (port := record["attributes"].get("client.port")) in ports.values()}
    assert set(at) == set(ports.values())
    assert all(record["attributes"]["client.address"] == "127.0.0.1" for record in at.values())
    # Whatever names a peer as `ADDRESS port N` has both as attributes.
    for record in records:
        named = re.search(r"(127\.0\.0\.1|::1) port (\d+)", record["body"])
        if named is not None and "listening" not in record["body"]:
            assert record["attributes"]["client.address"] == named[1], record
            assert record["attributes"]["client.port"] == int(named[2]), record


def test_standard_error_and_syslog(sshd: Sshd, place: Path) -> None:
    ports = peers(sshd)
    text = sshd.text()  # once: it may go on
    (place / "said.log").write_text(text)
    said = read(place / "said.log")
    assert {record["log.format"] for record in said} == {"sshd"}
    check([{"attributes": {}, **record} for record in said], ports)
    # The same messages as syslog writes them.
    header = "Nov 20 08:51:00 web-1 sshd[77]: "
    (place / "auth.log").write_text("".join(header + line.rstrip() + "\n" for line in text.splitlines()))
    written = read(place / "auth.log")
    assert len(written) == len(said)
    assert {record["attributes"]["syslog.appname"] for record in written} == {"sshd"}
    check(written, ports)
