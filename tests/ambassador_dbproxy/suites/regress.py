"""PostgreSQL's own regression tests: every file of SQL by psql, straight to a server and through the ambassador.

`python tests/ambassador_dbproxy/suites/regress.py TREE`, where TREE is an unpacked source distribution of the server's
major version. Compared is all that psql prints. Numbers of four digits and more (times, costs, object ids) are left
out, and so is the line that psql names for a notice, which depends on when it looks for one.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

import places

FILE_S = 240
_VARYING = re.compile(r"(cost|time|Memory|Buffers|ms)[=: ]?[\d.]+\S*|\b\d{4,}\b|(?<=\.sql):\d+(?=: NOTICE)")


def schedule(tree: Path) -> list[str]:
    """The tests in their order, those of a group one after the other."""
    lines = (tree / "parallel_schedule").read_text().splitlines()
    return [name for line in lines if line.startswith("test:") for name in line.split()[1:]]


def run(tree: Path, way: str) -> dict[str, list[str]]:
    """What psql prints for each file."""
    printed: dict[str, list[str]] = {}
    with places.place("postgres", way) as (place, _):
        environment = {
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(place.port),
            "PGUSER": place.user,
            "PGPASSWORD": place.password,
            "PG_ABS_SRCDIR": str(tree),
            "PG_ABS_BUILDDIR": str(tree),
            "PG_LIBDIR": "/usr/lib/postgresql/15/lib",
            "PG_DLSUFFIX": ".so",
            "PGTZ": "PST8PDT",
            "PGDATESTYLE": "Postgres, MDY",
            "PGOPTIONS": "-c intervalstyle=postgres_verbose",
        }
        psql = ["psql", "-X", "-q", "-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on", "-d"]
        create = "CREATE DATABASE regression TEMPLATE template0"
        subprocess.run([*psql, "postgres", "-c", create], env=environment, check=True)
        for name in schedule(tree):
            done = subprocess.run(
                [*psql, "regression", "-a", "-f", str(tree / f"sql/{name}.sql")],
                env=environment,
                cwd=tree,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=FILE_S,
                check=False,
            )
            printed[name] = _VARYING.sub("…", done.stdout.decode("utf-8", "replace")).splitlines()
    return printed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, help="the unpacked sources")
    tree: Path = parser.parse_args().tree.resolve() / "src/test/regress"
    (tree / "results").mkdir(exist_ok=True)
    direct = run(tree, "direct")
    alike = True
    for way in places.WAYS[1:]:
        through = run(tree, way)
        differing = [name for name in direct if direct[name] != through[name]]
        print(f"{way}: {len(direct) - len(differing)} of {len(direct)} files print the same", flush=True)
        for name in differing:
            print(*difflib.unified_diff(direct[name], through[name], name, way, n=0, lineterm=""), sep="\n")
        alike = alike and not differing
    return 0 if alike else 1


if __name__ == "__main__":
    sys.exit(main())
