"""`python -m benchmarks`: all comparisons in turn, or one of them by its name; `--help` after a name shows its options.

All of them: brings the Debian peers first where it may, and writes docs/benchmarks.md anew in the end. `pages` writes
that page alone, from the results that are kept.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import (
    adapter,
    command,
    dbproxy,
    dbproxy_mysql,
    dbproxy_redis,
    footprint,
    growth,
    pages,
    report,
    results_files,
    shipper,
)

BENCHMARKS: dict[str, Callable[[Sequence[str]], int]] = {
    "footprint": footprint.main,
    "shipper": shipper.main,
    "adapter": adapter.main,
    "dbproxy": dbproxy.main,
    "dbproxy-mysql": dbproxy_mysql.main,
    "dbproxy-redis": dbproxy_redis.main,
    "growth": growth.main,
}


def main(argv: Sequence[str]) -> int:
    """0 when all went well and every demand is met, 1 when not, 64 for what it does not know."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is stopped
    if argv and argv[0] in BENCHMARKS:
        return BENCHMARKS[argv[0]](argv[1:])
    if argv and argv[0] == "pages":
        return pages.main(argv[1:])
    if argv and argv[0] != "all" and not argv[0].startswith("-"):
        print(f"usage: python -m benchmarks [all|{'|'.join(BENCHMARKS)}|pages] [--quick] [--rounds N]", file=sys.stderr)
        return 64
    return everything(argv[1:] if argv and argv[0] == "all" else argv)


def everything(argv: Sequence[str]) -> int:
    options = command.parser("[all]", __doc__).parse_args(argv)
    if not options.quick:
        subprocess.run(["sh", str(Path(__file__).parent / "debian_peers.sh")], check=False)
    began = results_files.Clock()
    status = max(run(argv) for run in BENCHMARKS.values())
    where = command.results_of(options)
    fresh = [outcome for outcome in results_files.read_all(where) if outcome.taken_at >= began.taken_at]
    print(f"\n== all: {report.summary(fresh, colour=command.colour())}", flush=True)
    for name in BENCHMARKS.keys() - {outcome.benchmark for outcome in fresh}:
        print(f"NO FIGURES {name}: it failed, see above", flush=True)
    if where == results_files.DIRECTORY:
        pages.write(where)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
