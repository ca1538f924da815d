"""The short-lived commands (`convert`, `explain`, `formats`): their options, the files they open, their exit status.

0 done, 64 a mistake on the command line (a name, a file), 74 input or output failed midway.
"""

import argparse
import contextlib
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import BinaryIO

from adapter_logformat.convert import convert, listing
from adapter_logformat.formats.registry import NAMES
from adapter_logformat.options import Options
from adapter_logformat.profiles import PROFILES
from adapter_logformat.redact import DETECTORS, Redactor, Rule
from adapter_logformat.settings_inputs import AUTO, is_zone, unknown_format
from adapter_logformat.unpacked import Unpacked
from chassis.arguments import Parser
from chassis.errors import EXIT_OPERATOR_MISTAKE

EXIT_CLEAN, EXIT_IO = 0, 74


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="adapter-logformat", description="Any log format → one schema")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    filter_ = commands.add_parser("convert", help="log lines in, records out")
    filter_.add_argument("--format", default=AUTO, type=_format, metavar="NAME", help="auto, or one of `formats`")
    filter_.add_argument("--profile", default="otel", choices=PROFILES, help="how a record is written")
    filter_.add_argument("--timezone", default="UTC", type=_zone, metavar="ZONE", help="of times written without one")
    filter_.add_argument(
        "--now", type=_moment, metavar="TIME", help="time of observation, RFC 3339; default: the clock's"
    )
    filter_.add_argument(
        "--redact", action="append", default=[], choices=DETECTORS, metavar="WHAT",
        help=f"mask what must not be stored: {', '.join(DETECTORS)}; may be given several times",
    )  # fmt: skip
    filter_.add_argument("--keep-original", default="on_failure", choices=("never", "on_failure", "always"))
    filter_.add_argument("files", nargs="*", metavar="FILE", help="default, and `-`: standard input")
    explainer = commands.add_parser(
        "explain", help="which formats read how much of a log, and what they could not read"
    )
    explainer.add_argument("--timezone", default="UTC", type=_zone, metavar="ZONE", help="of times written without one")
    explainer.add_argument("files", nargs="+", metavar="FILE", help="`-` is standard input")
    commands.add_parser("formats", help="list the catalogue")
    return parser


def _format(name: str) -> str:
    if name != AUTO and name not in NAMES:
        raise argparse.ArgumentTypeError(unknown_format(name))
    return name


def _zone(name: str) -> str:
    if not is_zone(name):
        raise argparse.ArgumentTypeError(f"no time zone is called {name!r}")
    return name


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time such as 2026-11-20T08:51:00Z, got {text!r}") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86400 + whole.seconds) * 1_000_000_000 + whole.microseconds * 1000


def run_command(arguments: Sequence[str]) -> int:
    """Runs one command to its exit status."""
    chosen = _parser().parse_args(arguments)
    try:
        if chosen.command == "formats":
            print(listing(), end="")
            status = EXIT_CLEAN
        elif chosen.command == "explain":
            status = _explain(chosen.files, chosen.timezone)
        else:
            status = _convert(chosen)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has enough (`| head`); the interpreter must not complain at its own last flush either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLEAN
    return status


def _convert(chosen: argparse.Namespace) -> int:
    options = Options(
        only=() if chosen.format == AUTO else (chosen.format,),
        zone=chosen.timezone,
        profile=chosen.profile,
        keep_original=chosen.keep_original,
        written_ns=chosen.now or 0,
    )
    now_ns = chosen.now if chosen.now is not None else time.time_ns()
    names, status = chosen.files or ["-"], EXIT_CLEAN
    try:
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(_opened(name)) for name in names]
            redact = Redactor([Rule(name) for name in chosen.redact], Counter())
            for name, file in zip(names, files, strict=True):
                source = Unpacked(file)
                tally = convert(source, sys.stdout.buffer, _as_old_as(file, options), now_ns, redact)
                status = max(status, _tell_damage(name, source))
                for bug in tally.untold_bugs():
                    print(f"adapter-logformat: a reader failed, please report it: {bug}", file=sys.stderr)
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"adapter-logformat: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        return EXIT_OPERATOR_MISTAKE if error.filename else EXIT_IO
    return status


def _tell_damage(name: str, source: Unpacked) -> int:
    """The exit status for what was read of it."""
    if source.damage is None:
        return EXIT_CLEAN
    print(f"adapter-logformat: {name}: {source.damage.strerror}", file=sys.stderr)
    return EXIT_IO


def _as_old_as(file: BinaryIO, options: Options) -> Options:
    """The options for a file that may have been written long ago, where they do not say when."""
    status = os.fstat(file.fileno())
    if options.written_ns or not stat.S_ISREG(status.st_mode):
        return options
    return replace(options, written_ns=status.st_mtime_ns)


def _explain(names: Sequence[str], zone: str) -> int:
    from adapter_logformat.explain import explain, report  # the filter has no use for it

    status = EXIT_CLEAN
    for name in names:
        try:
            with _opened(name) as file:
                source = Unpacked(file)
                found = explain(source, _as_old_as(file, Options(zone=zone)), time.time_ns())
        except OSError as error:
            print(f"adapter-logformat: {name}: {error.strerror}", file=sys.stderr)
            status = max(status, EXIT_OPERATOR_MISTAKE)
        else:
            print(*report(name, found), sep="\n")
            status = max(status, _tell_damage(name, source))
    return status


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
    else:
        with open(name, "rb", buffering=0) as file:
            yield file
