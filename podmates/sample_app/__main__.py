"""A web app as one finds them: it reads a database on localhost and logs to files. `python -m podmates.sample_app`.

Settings come from arguments, or from the environment as in a container. What it answers is in `shop`.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from podmates.sample_app.database import AppDatabase
from podmates.sample_app.event_log import EventLog
from podmates.sample_app.shop import Shop, application, log_json


async def serve(host: str, port: int, shop: Shop) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way. Port 0 asks for any; the ready event names it."""
    stop = asyncio.Event()
    for asked in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(asked, stop.set)
    # Below `drain.quiet` of the classic manifests: mates that are told to stop with the app wait for its last line.
    runner = web.AppRunner(application(shop), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address, bound = runner.addresses[0][:2]
        log_json(shop, "info", "shop is open", pid=os.getpid())
        print(json.dumps({"event": "ready", "listen": f"{address}:{bound}"}), file=sys.stderr, flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()
        await shop.database.close()
    log_json(shop, "info", "shop is closed", pid=os.getpid())
    stopped = {"event": "stopped", "requests": shop.requests, **shop.database.stats()}
    print(json.dumps(stopped), file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app with arguments, each with an environment variable as its default."""
    env = os.environ
    parser = argparse.ArgumentParser(prog="python -m podmates.sample_app", description="A small web app with logs.")
    listen, logs = env.get("APP_LISTEN", "127.0.0.1:0"), env.get("APP_LOGS", "/var/log/app")
    database = env.get("DATABASE_URL", "postgresql://app@127.0.0.1:5432/app")
    parser.add_argument("--listen", default=listen, help="HOST:PORT, port 0 for any (APP_LISTEN)")
    parser.add_argument("--logs", default=logs, type=Path, help="directory of the log files (APP_LOGS)")
    parser.add_argument(
        "--ledger", default=env.get("APP_LEDGER"), type=Path, help="file of what was logged (APP_LEDGER)"
    )
    parser.add_argument("--database", default=database, type=_url, help="postgresql://… (DATABASE_URL)")
    arguments = parser.parse_args(argv)
    host, _, port = arguments.listen.rpartition(":")

    async def run() -> None:
        events = EventLog(arguments.logs, arguments.ledger, instance=secrets.token_hex(3))
        try:
            await serve(host.strip("[]"), int(port), Shop(AppDatabase(arguments.database), events))
        finally:
            events.close()

    try:
        asyncio.run(run())
    except (OSError, ValueError) as error:
        print(f"sample app: {error}", file=sys.stderr)
        return 64
    return 0


def _url(text: str) -> str:
    if urlsplit(text).scheme not in ("postgresql", "postgres"):
        raise argparse.ArgumentTypeError("not a postgresql:// URL")
    return text


if __name__ == "__main__":
    sys.exit(main())
