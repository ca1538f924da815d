"""The command line's own mistakes, for the mates and their short-lived commands alike.

Apart from `command`, since a filter that ends after one file has no use for a mate's event loop.
"""

import argparse
import sys
from typing import NoReturn

from chassis.errors import EXIT_OPERATOR_MISTAKE


class Parser(argparse.ArgumentParser):
    """Whose mistakes end like those of the settings, with 64; argparse's own 2 would say something else."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_OPERATOR_MISTAKE, f"{self.prog}: {message}\n")
