"""adapter-logformat: any log format → one schema.

    adapter-logformat [--config FILE]                       serve: follow files, write records
    adapter-logformat convert [--format …] [FILE…]          filter: lines in, records out
    adapter-logformat explain FILE…                         which formats read it, and what they could not
    adapter-logformat formats                               the catalogue

Where things are: `settings` what may be configured, `adapter` the life, `output` the file it writes,
`pipeline` one stream from bytes to bytes, `formats/` the catalogue, `profiles/` how a record is written.
"""

import gc
import sys
from collections.abc import Sequence

from chassis import signals

COMMANDS = """\
commands, each as the first word and with a --help of its own:
  convert [FILE…]    filter: lines in, records out
  explain FILE…      which formats read how much of a log, and what they could not read
  formats            list the catalogue
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    # A chunk becomes thousands of short-lived dicts and lists without cycles among them; looking for cycles
    # after every 700 of them costs a sixth of the CPU.
    gc.set_threshold(50_000, 20, 50)
    if arguments and not arguments[0].startswith("-"):
        # The filter needs neither event loop nor ops endpoint: it starts in a fraction of the time without them.
        from adapter_logformat.commands import run_command

        return run_command(arguments)
    with signals.held():  # already while the modules are read, which takes most of the start
        from adapter_logformat.adapter import Adapter
        from adapter_logformat.allocator import share_one_arena
        from adapter_logformat.settings import Settings
        from chassis.command import run_mate

        share_one_arena()
        return run_mate(
            name="logformat", prefix="LOGFORMAT", model=Settings, build=Adapter, argv=arguments, commands=COMMANDS
        )


if __name__ == "__main__":
    raise SystemExit(main())
