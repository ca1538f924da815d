"""Where the demo in a cluster asks from: the load on the app, single requests, queries. `python -m podmates.desk`.

Runs in a pod of its own, by `kubectl exec`, and keeps a book of what was asked, so that later proofs count it too.
"""

import argparse
import asyncio
import json
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from podmates.load import Load, LoadCounts

APP, LOG_SERVER = "http://webapp:8080", "http://victorialogs:9428"
BOOK = Path("/var/lib/desk/book.jsonl")
LOOK_EVERY_S = 0.1
ENDS = {signal.SIGTERM, signal.SIGINT}


def entry(counts: LoadCounts) -> dict[str, int | str]:
    """What the book keeps of a load."""
    kept: dict[str, int | str] = {"made": counts.made, "failed": counts.failed, "unanswered": counts.statuses[0]}
    return {**kept, "first_failure": counts.first_failure} if counts.first_failure else kept


def totals(book: str) -> dict[str, int | str]:
    """The sums over all entries; of texts the first."""
    sums: Counter[str] = Counter()
    texts: dict[str, int | str] = {}
    for line in book.splitlines():
        for name, value in json.loads(line).items():
            if isinstance(value, int):
                sums[name] += value
            else:
                texts.setdefault(name, value)
    return {**sums, **texts}


async def load(app: str, book: Path) -> None:
    """Requests until `finish` is said, then one entry in the book. `begin` is said before, by whom `finish` will be."""
    told = book.with_name("finish")
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        requests = Load(session, app, secrets.token_hex(3))
        running = tasks.create_task(requests.run(), name="load")
        while not running.done() and not told.exists():  # noqa: ASYNC110 (another process says it, by a file)
            await asyncio.sleep(LOOK_EVERY_S)
        requests.finish()
    write(book, entry(requests.counts))


async def ask(app: str, path: str, book: Path) -> None:
    """One request, counted like those of the load; prints the answer."""
    async with aiohttp.ClientSession() as session:
        requests = Load(session, app, secrets.token_hex(3))
        _, answer = await requests.ask(path)
    write(book, entry(requests.counts))
    print(json.dumps(answer))


async def fetch(url: str, query: str = "") -> None:
    """Prints what is there, as it comes; not counted. With a query it is a POST."""
    timeout = aiohttp.ClientTimeout(total=60)
    method, form = ("POST", {"query": query}) if query else ("GET", None)
    async with (
        aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
        session.request(method, url, data=form) as response,
    ):
        async for piece in response.content.iter_any():
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def write(book: Path, values: dict[str, int | str]) -> None:
    with book.open("a") as file:
        file.write(json.dumps(values) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """One command; 0 unless the other side cannot be asked."""
    parser = argparse.ArgumentParser(prog="python -m podmates.desk", description="Asks the app and the log server.")
    parser.add_argument("--app", default=APP)
    parser.add_argument("--log-server", default=LOG_SERVER)
    parser.add_argument("--book", default=BOOK, type=Path)
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for name in ("wait", "begin", "load", "finish", "stats", "totals"):
        commands.add_parser(name)
    commands.add_parser("ask").add_argument("path")
    commands.add_parser("records").add_argument("query")
    commands.add_parser("note").add_argument("what")
    options = parser.parse_args(argv)
    try:
        _do(options)
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        print(f"desk: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _do(options: argparse.Namespace) -> None:
    match options.command:
        case "wait":
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
            signal.sigwait(ENDS)
        case "begin":
            options.book.with_name("finish").unlink(missing_ok=True)
        case "load":
            asyncio.run(load(options.app, options.book))
        case "finish":
            options.book.with_name("finish").touch()
        case "ask":
            asyncio.run(ask(options.app, options.path, options.book))
        case "stats":
            asyncio.run(fetch(f"{options.app}/-/stats"))
        case "records":
            asyncio.run(fetch(f"{options.log_server}/select/logsql/query", options.query))
        case "note":
            write(options.book, {options.what: 1})
        case "totals":
            print(json.dumps(totals(options.book.read_text() if options.book.exists() else "")))


if __name__ == "__main__":
    sys.exit(main())
