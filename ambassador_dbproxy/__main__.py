"""ambassador-dbproxy: the app talks to localhost, this process to the database of the environment.

    ambassador-dbproxy [--config FILE]              serve
    ambassador-dbproxy status [--ops ADDRESS]       ask the running one
    ambassador-dbproxy switch ENV [--ops ADDRESS]   lead the running one elsewhere

Where things are: `settings` what may be configured, `ambassador` the life, `listener` one local address, `gate` the
holding, `routes` which target, `service` the seam for protocols, `postgres`, `mysql`, `redis` and `tcp` all of them,
`relay` the hot path.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from chassis import signals

COMMANDS = """\
commands, each as the first word and with a --help of its own:
  status         what the running ambassador does: listeners, targets, health, sessions
  switch ENV     lead it to another environment
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments and not arguments[0].startswith("-"):
        # The short-lived commands bring an HTTP client, which the serving process has no use for.
        from ambassador_dbproxy.commands import run_command

        return run_command(arguments, os.environ)
    with signals.held():  # already while the modules are read, which takes most of the start
        from ambassador_dbproxy.ambassador import Ambassador
        from ambassador_dbproxy.settings import Settings
        from chassis.command import run_mate

        return run_mate(
            name="dbproxy", prefix="DBPROXY", model=Settings, build=Ambassador, argv=arguments, commands=COMMANDS
        )


if __name__ == "__main__":
    raise SystemExit(main())
