"""The command `podmates`: `podmates demo` runs a local pod and ends with the verdict as its exit status."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import aiohttp

from chassis import __version__
from podmates import run_directory
from podmates.child import ChildFailed
from podmates.cluster import Cluster, KindCluster
from podmates.databases import DatabaseFailed
from podmates.demo import Demo, StepFailed
from podmates.interruption import Interruption
from podmates.kind_demo import KindDemo, KindStepFailed
from podmates.launcher import Launcher
from podmates.pod_demo import PodDemo, PodStepFailed
from podmates.podman import Podman
from podmates.postgres_binaries import PostgresMissing
from podmates.terminal import Terminal
from podmates.tool import ToolFailed

EXIT_PROVEN, EXIT_FAILED = 0, 1
KUBECONFIG = Path(__file__).resolve().parent.parent / "build" / "kind" / "kubeconfig"
KIND_ENDS = ("All that was asked for was done, and what was proven holds.", "Interrupted; what is there stays.")
FORESEEN = (
    ChildFailed,
    StepFailed,
    PodStepFailed,
    KindStepFailed,
    DatabaseFailed,
    PostgresMissing,
    ToolFailed,
    OSError,
    aiohttp.ClientError,
)


def main(argv: Sequence[str] | None = None) -> int:
    """0: the proof holds; 1: it does not, or something failed on the way; 128 + signal: interrupted."""
    options = _parser().parse_args(argv)
    terminal = Terminal.on(sys.stdout, colours="NO_COLOR" not in os.environ)
    try:
        if options.command == "kind-demo":
            steps = options.steps or ["up", "show", "break"]
            return asyncio.run(_judged(terminal, lambda _: _kind_demo(terminal, steps, options.within), *KIND_ENDS))
        if options.command == "pod-demo":
            return asyncio.run(_judged(terminal, lambda _: _pod_demo(terminal, options.seconds)))
        with run_directory.fresh() as directory:
            demo = partial(_demo, terminal, directory, options.seconds, keep=options.keep)
            return asyncio.run(_judged(terminal, demo))
    except BrokenPipeError:  # the reader of our output has gone; nothing is left to flush to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="podmates", description="Companions for an app's pod.")
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="run a whole pod on this machine and prove that nothing is lost",
        description="Runs a pod without Kubernetes or containers: three PostgreSQL databases, a log server, a sample "
        "app and the three mates. Exit status 0 only if the counted proof holds.",
    )
    pod_demo = commands.add_parser(
        "pod-demo",
        help="the same in real containers, under podman",
        description="Plays k8s/examples/three-mates.classic.yaml and what it needs with `podman kube play`. The images "
        "must be there (make images). Exit status 0 only if the counted proof holds.",
    )
    kind_demo = commands.add_parser(
        "kind-demo",
        help="the same in a Kubernetes cluster",
        description="Steps: up, show, break, down; without any: up, show and break. In a cluster of its own, made by "
        "kind (make images first); with CLUSTER=existing in that of KUBECONFIG, whose nodes take the images from "
        "REGISTRY. Exit status 0 only if all counted proofs hold.",
    )
    kind_demo.add_argument("steps", nargs="*", metavar="STEP", type=_step, help="up, show, break, down")
    kind_demo.add_argument(
        "--within", type=_seconds, default=60.0, metavar="N", help="records have so long to arrive (default 60)"
    )
    for command in (demo, pod_demo):
        command.add_argument(
            "--seconds", type=_seconds, default=15.0, metavar="N", help="length of the load (default 15)"
        )
    demo.add_argument("--keep", action="store_true", help="leave it running after the proof, until Ctrl-C")
    return parser


def _step(text: str) -> str:
    if text not in ("up", "show", "break", "down"):
        raise argparse.ArgumentTypeError(f"{text!r} is none of up, show, break, down")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between 1 and 3600")
    return seconds


async def _demo(terminal: Terminal, directory: Path, seconds: float, interruption: Interruption, *, keep: bool) -> bool:
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        launcher = Launcher(tasks, directory, os.environ.get("PATH", os.defpath))
        return await Demo(terminal, interruption, directory, launcher, session).run(seconds, keep=keep)


async def _pod_demo(terminal: Terminal, seconds: float) -> bool:
    async with Podman(os.environ, "podmates-demo") as podman, aiohttp.ClientSession() as session:
        return await PodDemo(terminal, podman, session).run(seconds)


async def _kind_demo(terminal: Terminal, steps: Sequence[str], arrives_within_s: float) -> bool:
    existing = os.environ.get("CLUSTER") == "existing"
    registry = os.environ.get("REGISTRY", "")
    cluster = Cluster(os.environ, registry) if existing else KindCluster(os.environ, KUBECONFIG)
    demo = KindDemo(terminal, cluster, __version__, arrives_within_s)
    if lacking := await demo.lacks(steps):
        terminal.step("Before it can begin")
        for each in lacking:
            terminal.verdict(False, each)
        raise KindStepFailed(f"{len(lacking)} of what the demo needs is missing")
    good = True
    try:
        for step in steps:
            match step:
                case "up":
                    await demo.up()
                case "show":
                    good &= await demo.show()
                case "break":
                    good &= await demo.breaks()
                case "down":
                    await demo.down()
    except (ToolFailed, KindStepFailed):
        terminal.step("What the cluster says")
        terminal.block("\n".join(await demo.troubles()), most_lines=60)
        raise
    return good


async def _judged(
    terminal: Terminal,
    demo: Callable[[Interruption], Awaitable[bool]],
    proven: str = "The proof holds.",
    interrupted: str = "Interrupted; everything was stopped.",
) -> int:
    """Runs `demo` under the eyes of Ctrl-C, says how it ended, and returns the exit status."""
    task = asyncio.current_task()
    assert task is not None
    interruption = Interruption(task)
    interruption.listen()
    try:
        good = await demo(interruption)
    except asyncio.CancelledError:
        terminal.final(False, interrupted)
        return 128 + (interruption.signal or 0)
    except BaseExceptionGroup as failures:
        foreseen, bugs = failures.split(FORESEEN)
        if foreseen is None or bugs is not None:
            raise
        # One failure drags others along: a process that ended says more than the request that could not reach it.
        return _failed(terminal, min(_leaves(foreseen), key=_rank))
    except FORESEEN as failure:
        return _failed(terminal, failure)
    terminal.final(good, proven if good else "The proof does not hold.")
    return EXIT_PROVEN if good else EXIT_FAILED


def _failed(terminal: Terminal, failure: BaseException) -> int:
    terminal.final(False, f"Failed: {failure}")
    for name, lines in _last_words(failure):
        terminal.say(f"the last log lines of {name}:")
        terminal.block("\n".join(lines) or "(none)", most_lines=40)
    return EXIT_FAILED


def _last_words(failure: BaseException) -> Iterator[tuple[str, Sequence[str]]]:
    """The processes or containers that the failure concerns, each with the end of its log."""
    if isinstance(failure, ChildFailed):
        yield failure.child.name, failure.child.last_lines()
    if isinstance(failure, StepFailed):
        yield from ((child.name, child.last_lines()) for child in failure.concerning)
    if isinstance(failure, PodStepFailed) and failure.container:
        yield failure.container, failure.last_lines


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for member in group.exceptions:
        if isinstance(member, BaseExceptionGroup):
            yield from _leaves(member)
        else:
            yield member


def _rank(failure: BaseException) -> int:
    return next(n for n, kind in enumerate(FORESEEN) if isinstance(failure, kind))


if __name__ == "__main__":
    sys.exit(main())
