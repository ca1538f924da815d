"""The command line that every mate has, and the composition root around its life.

`--config`, `--check`, `--schema`, `--version`; then settings, log, ops endpoint, mate, and the exit status.
"""

import argparse
import asyncio
import contextlib
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector

from chassis import __version__
from chassis import log as logs
from chassis.arguments import Parser
from chassis.errors import EXIT_OPERATOR_MISTAKE, OperatorError, SettingsError
from chassis.lifecycle import EXIT_CLEAN, Life, Mate, Phase, live
from chassis.loading import load
from chassis.ops import OpsServer, Route
from chassis.vitals import Vitals

S = TypeVar("S", bound=msgspec.Struct)
SETTINGS_LOOK_S = 1.0  # how often the settings file is looked at; a ConfigMap's swap takes a minute or two anyway


@dataclass(frozen=True)
class Context:
    """What a mate is given of the world: nothing below it reads a clock, the environment or chance by itself."""

    registry: CollectorRegistry
    log: Any
    stop: Callable[[str], None]
    phase: Callable[[], Phase]
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    routes: list[Route] = field(default_factory=list)


def run_mate(
    *,
    name: str,
    prefix: str,
    model: type[S],
    build: Callable[[S, Context], Mate],
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    commands: str = "",
) -> int:
    """Runs one mate from its command line to its exit status: 0 clean, 64 operator's mistake, 70 bug, 75 work left.

    `model` needs the fields `ops` (OpsSettings) and `drain` (with a `deadline`). `prefix` opens the names of the
    environment variables that override settings. `commands` is what --help says of the mate's short-lived commands.
    """
    options = _parser(name, commands).parse_args(argv)
    if options.schema:
        from chassis.schema import schema

        print(msgspec.json.format(msgspec.json.encode(schema(model)), indent=2).decode())
        return EXIT_CLEAN
    path = settings_path(name, options.config)

    source = Source(path, lambda: load(model, path, environ, prefix))
    try:
        settings = source.read()
    except SettingsError as error:
        return _refuse(name, path, error, as_text=options.check)
    if options.check:
        print(f"{path or 'environment'}: settings are good")
        return EXIT_CLEAN
    logs.configure(name)
    # Each file followed and each session held takes descriptors; the soft limit is low for the sake of select(2) alone.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, source, build))


def settings_path(name: str, given: Path | None) -> Path | None:
    """The settings file: the one given, else the usual place if there is one, else none (environment alone)."""
    usual = usual_path(name)
    return given or (usual if usual.exists() else None)


def usual_path(name: str) -> Path:
    """Where a mate's settings are, unless it is told otherwise."""
    return Path(f"/etc/podmates/{name}.yaml")


def _parser(name: str, commands: str) -> argparse.ArgumentParser:
    parser = Parser(
        description=f"Podmates {name}", epilog=commands, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"default: /etc/podmates/{name}.yaml, if it exists")
    parser.add_argument("--check", action="store_true", help="check the settings, name every mistake, and end")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of the settings, for editors")
    parser.add_argument("--version", action="version", version=f"podmates {__version__}")
    return parser


def _refuse(name: str, path: Path | None, error: SettingsError, *, as_text: bool) -> int:
    if as_text:
        where = str(path or "environment")
        for mistake in error.mistakes:
            print(mistake if mistake.path == where else f"{where}: {mistake}", file=sys.stderr)
    else:
        logs.configure(name)
        told = {"file": str(path)} if path else {"file": "", "note": _environment_alone(name)}
        logs.get().error("settings_refused", **told, mistakes=[str(each) for each in error.mistakes])
    return EXIT_OPERATOR_MISTAKE


def _environment_alone(name: str) -> str:
    usual = usual_path(name)
    return f"there is no {usual}, so the environment alone was read; is the ConfigMap's key {usual.name}?"


async def _run(settings: Any, source: "Source", build: Callable[[Any, Context], Mate]) -> int:
    began = time.monotonic()
    log = logs.get()
    life = Life(log)
    context = Context(registry=CollectorRegistry(), log=log, stop=life.stop, phase=lambda: life.phase)
    ProcessCollector(registry=context.registry)  # CPU, memory and descriptors of this process
    context.registry.register(Vitals(__version__, lambda: life.is_ready))
    try:
        mate = build(settings, context)
    except OperatorError as error:
        log.error("cannot_start", setting=error.setting, reason=error.message)
        return EXIT_OPERATOR_MISTAKE
    ops = OpsServer(life, context.registry, context.routes)
    reloading = Reloading(mate, settings, source, life, log)
    try:
        ops_address = await ops.start(settings.ops.listen)
    except OperatorError as error:
        log.error("cannot_start", setting=error.setting, reason=error.message)
        return EXIT_OPERATOR_MISTAKE

    def announce(facts: dict[str, object]) -> None:
        log.info("ready", ops=str(ops_address), took_ms=round((time.monotonic() - began) * 1000), **facts)

    try:
        status = await live(
            mate,
            life,
            log,
            announce=announce,
            watch=reloading.watch,
            drain_deadline=lambda: reloading.settings.drain.deadline,
        )
    finally:
        await ops.close()
    if life.close_cut_short:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # any other way out waits for the thread that hangs
    return status


class Source:
    """Where the settings come from, and whether they may have changed since they were last read."""

    def __init__(self, path: Path | None, load: Callable[[], Any]) -> None:
        self.path = path
        self._load = load
        self._seen = self._stamp()

    def read(self) -> Any:
        """The settings as they are now. SettingsError when they cannot be used."""
        self._seen = self._stamp()  # before reading: a change in between is then seen as one
        return self._load()

    def has_changed(self) -> bool:
        return self._stamp() != self._seen

    def _stamp(self) -> tuple[int, int, int] | None:
        """What the file is now. By path each time: a mounted ConfigMap is swapped through a symlink."""
        if self.path is None:
            return None
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


class Reloading:
    """Takes over changed settings while the mate works: on SIGHUP, and when the file is another than before."""

    def __init__(self, mate: Mate, settings: Any, source: Source, life: Life, log: Any) -> None:
        self.settings = settings
        self._mate = mate
        self._source = source
        self._life = life
        self._log = log

    async def watch(self) -> None:
        """Looks after the settings until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTINGS_LOOK_S):
                    await self._life.reload_asked.wait()
            if self._life.reload_asked.is_set() or self._source.has_changed():
                self._life.reload_asked.clear()
                if self._life.phase is not Phase.DRAINING:  # what is about to end changes no more
                    await self.reload()

    async def reload(self) -> None:
        """Reads the settings anew. Bad ones are refused with an event, and the old ones stay in force."""
        try:
            settings = self._source.read()
            if settings == self.settings:
                return
            await self._mate.reload(settings)
        except SettingsError as error:
            self._log.error("reload_refused", mistakes=[str(each) for each in error.mistakes])
        except OperatorError as error:
            self._log.error("reload_refused", mistakes=[str(error)])
        else:
            self.settings = settings
            self._log.info("reloaded", file=str(self._source.path or ""))
