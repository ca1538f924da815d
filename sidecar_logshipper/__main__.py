"""The command `sidecar-logshipper`: log files of this pod, to the central log server, with nothing lost.

Table of contents: `settings` what it can be told · `shipper` how the parts are joined · `lane` and `batch` what goes
together · `ndjson` and `raw` how lines are written · `delivery` and `verdict` how the sink is won over · `sinks` the
protocols · `dead_letter` what was refused · `ledger` and `metrics` the account of it all. `logtail` follows the files.
"""

import sys
from collections.abc import Sequence

from chassis import signals


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the log shipper; returns its exit status (0 clean, 64 operator's mistake, 70 bug, 75 work left)."""
    with signals.held():  # already while the modules are read, which takes most of the start
        from chassis.command import run_mate
        from sidecar_logshipper.allocator import keep_memory
        from sidecar_logshipper.settings import Settings
        from sidecar_logshipper.shipper import Shipper

        keep_memory()
        return run_mate(name="logshipper", prefix="LOGSHIPPER", model=Settings, build=Shipper, argv=argv)


if __name__ == "__main__":
    sys.exit(main())
