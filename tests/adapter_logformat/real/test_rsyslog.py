"""rsyslog with the three templates in use: the same messages read alike, whatever the file looks like."""

import socket
from datetime import datetime
from pathlib import Path

from tests.adapter_logformat.real.servers import Record, Servers, program, read, wait

MESSAGES = (
    "<34>Nov 20 08:51:00 su[231]: 'su root' failed for lonvick",
    "<86>Nov 20 08:51:01 sshd[77]: Failed password for invalid user a b from 2001:db8::1 port 22 ssh2",
    '<30>Nov 20 08:51:02 shop[7]: {"level":"error","msg":"inside"}',
    "<78>Nov 20 08:51:03 CRON[9]: (root) CMD (run-parts /etc)",
    "<0>Nov 20 08:51:04 kernel: no process: here",
)


def test_rsyslog(servers: Servers, place: Path) -> None:
    rsyslogd = program("rsyslogd", "rsyslog")
    names = ("RSYSLOG_TraditionalFileFormat", "RSYSLOG_FileFormat", "RSYSLOG_SyslogProtocol23Format")
    files = "".join(f'action(type="omfile" file="{place}/{name}" template="{name}")\n' for name in names)
    (place / "rsyslog.conf").write_text(
        f'global(workDirectory="{place}" localHostname="web-1")\n'
        f'module(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{place}/log" UseSysTimeStamp="off")\n{files}'
    )
    server = servers.start([rsyslogd, "-n", "-f", str(place / "rsyslog.conf"), "-i", str(place / "pid")], place / "out")
    wait(lambda: (place / "log").exists(), (place / "out").read_text())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        for message in MESSAGES:
            sock.sendto(message.encode(), str(place / "log"))
    wait(lambda: all((place / name).exists() and b"here" in (place / name).read_bytes() for name in names))
    servers.stop(server)
    for name in names:
        check(
            [record for record in read(place / name) if record["attributes"].get("syslog.appname") != "rsyslogd"], name
        )


def check(records: list[Record], name: str) -> None:
    assert [record["attributes"]["syslog.appname"] for record in records] == ["su", "sshd", "shop", "CRON", "kernel"]
    assert all(record["resource"]["host.name"] == "web-1" for record in records)
    assert [record["attributes"].get("process.pid") for record in records] == [231, 77, 7, 9, None]
    su, sshd, shop, cron, kernel = records
    assert su["body"] == "'su root' failed for lonvick"
    # The socket's messages carry the time at which they came; the observed one is that of this reading.
    came, observed = (datetime.fromisoformat(su[key]) for key in ("timestamp", "observed_timestamp"))
    assert abs((observed - came).total_seconds()) < 3600
    assert sshd["attributes"]["user.name"] == "a b"
    assert sshd["attributes"]["client.address"] == "2001:db8::1"
    assert (shop["body"], shop["severity_number"]) == ("inside", 17)
    assert cron["attributes"]["process.command_line"] == "run-parts /etc"
    assert kernel["body"] == "no process: here"
    assert ("severity_text" in su) == (name == "RSYSLOG_SyslogProtocol23Format")
