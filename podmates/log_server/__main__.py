"""A small central log server, in the place of a real cluster's collector. `python -m podmates.log_server`.

Settings come from arguments, or from the environment as in a container. It can be killed and come back.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from podmates.log_server.receiver import application
from podmates.log_server.record_store import RecordStore


async def serve(host: str, port: int, path: Path) -> None:
    """Serve until SIGTERM or SIGINT. Port 0 asks for any; the ready event on standard error names the real one."""
    stop = asyncio.Event()
    for asked in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(asked, stop.set)
    store = RecordStore(path)
    # Bodies are decompressed here, where their size is bounded.
    runner = web.AppRunner(application(store), access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address, bound = runner.addresses[0][:2]
        ready = {"event": "ready", "listen": f"{address}:{bound}", "records": store.counts.records}
        print(json.dumps(ready), file=sys.stderr, flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()
        store.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server with arguments, each with an environment variable as its default."""
    parser = argparse.ArgumentParser(prog="python -m podmates.log_server", description="A small central log server.")
    listen, store = os.environ.get("LOGSERVER_LISTEN", "127.0.0.1:0"), os.environ.get("LOGSERVER_STORE")
    parser.add_argument("--listen", default=listen, help="HOST:PORT, port 0 for any (LOGSERVER_LISTEN)")
    parser.add_argument("--store", default=store, required=store is None, type=Path, help="file (LOGSERVER_STORE)")
    arguments = parser.parse_args(argv)
    host, _, port = arguments.listen.rpartition(":")
    try:
        asyncio.run(serve(host.strip("[]"), int(port), arguments.store))
    except (OSError, ValueError) as error:
        print(f"log server: {error}", file=sys.stderr)
        return 64
    return 0


if __name__ == "__main__":
    sys.exit(main())
