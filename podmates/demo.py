"""The story that `podmates demo` tells: a pod is started, looked at, disturbed, stopped, and held to account.

Every step prints what it shows. The parts (databases, pod, log server, load) live in modules of their own, and the
verdict is reached in `proof`.
"""

import asyncio
import json
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import aiohttp

from podmates import databases, narration, postgres_binaries
from podmates.child import Child, resident_mib
from podmates.databases import Cluster
from podmates.interruption import Interruption
from podmates.launcher import Launcher
from podmates.ledger import Ledger
from podmates.load import CLIENTS, PER_SECOND, Load
from podmates.local_pod import LocalPod
from podmates.log_server_process import LogServer
from podmates.ports import free_port
from podmates.proof import Evidence, Proof, prove
from podmates.terminal import Terminal

LONGEST_OUTAGE_S = 3.0
RECORD_WITHIN_S = 60.0
SWITCH_WITHIN_S = 60.0
BETWEEN_SWITCHES_S = 1.0
CATCH_UP_WITHIN_S = 120.0
LOOK_EVERY_S = 0.1
REPORT_EVERY_S = 3.0
SERVER_STOPS_WITHIN_S = 30.0


class StepFailed(Exception):
    """Something that should have happened did not; `concerning` are the processes whose logs may say why."""

    def __init__(self, what: str, *concerning: Child | None) -> None:
        super().__init__(what)
        self.concerning = [child for child in concerning if child is not None]


class Demo:
    """One run below `directory`, which must be new. Every process it starts is the launcher's."""

    def __init__(
        self,
        terminal: Terminal,
        interruption: Interruption,
        directory: Path,
        launcher: Launcher,
        session: aiohttp.ClientSession,
    ) -> None:
        self._terminal = terminal
        self._interruption = interruption
        self._directory = directory
        self._launcher = launcher
        self._session = session
        self._choose = random.Random()
        self._log_server = LogServer(launcher, session, store=directory / "records.jsonl", port=free_port(self._choose))
        self._ledger = Ledger(directory / "ledger.jsonl")
        self._clusters: list[Cluster] = []
        self._pod: LocalPod
        self._load: Load
        self._app_pids: list[int] = []

    async def run(self, seconds: float, *, keep: bool) -> bool:
        """The whole story, with at least `seconds` of load; True when the proof holds."""
        await self._start_the_outside()
        await self._start_the_pod()
        loading, began = self._start_the_load(), time.monotonic()
        await self._show_records()
        await self._switch_environments()
        await self._kill_the_log_server(min(LONGEST_OUTAGE_S, seconds / 4))
        await self._go_on_until(began + seconds)
        self._load.finish()
        await loading
        good = await self._keep_running() if keep else True
        good &= await self._stop_the_pod()
        if not keep:  # a guest's own requests are in the log, and in no count of ours
            good &= self._show(await self._proof(self._last_counts()))
        await self._stop_the_outside()
        return good

    async def _start_the_outside(self) -> None:
        self._terminal.step("Outside the pod: three databases and a log server")
        began = time.monotonic()
        binaries = postgres_binaries.find(self._directory)
        server = await self._log_server.start()
        self._terminal.say(f"log server  {self._log_server.peer.url}  pid {server.pid}")
        self._clusters = await databases.start_all(self._launcher, binaries, self._directory / "postgres", self._choose)
        for database in [cluster.database for cluster in self._clusters]:
            where = f"{database.host}:{database.port}/{database.name}"
            self._terminal.say(f"PostgreSQL  {database.environment:<5} {where}  as {database.user}")
        self._terminal.say(f"ready in {time.monotonic() - began:.1f} s")

    async def _start_the_pod(self) -> None:
        self._terminal.step("The pod: three mates, then the app; they share a directory and loopback")
        known = {cluster.database.environment: cluster.database for cluster in self._clusters}
        logs_url = f"{self._log_server.peer.url}/logs"
        self._pod = LocalPod(
            self._launcher, self._directory / "pod", known, logs_url=logs_url, ledger=self._ledger.path
        )
        async for child in self._pod.start("dev"):
            size = f"{resident_mib(child.pid):.0f} MiB"
            self._terminal.say(f"{child.name:<11} ready in {child.ready_after_s:.2f} s  {size}  pid {child.pid}")
        self._terminal.say(f"the app's database is {self._pod.database_address}; it knows no environment, no password")

    def _start_the_load(self) -> "asyncio.Task[None]":
        self._load = Load(self._session, f"http://{self._pod.app_address}", secrets.token_hex(3))
        self._terminal.step(f"Load: {CLIENTS} clients, {PER_SECOND:.0f} requests a second")
        return self._launcher.tasks.create_task(self._load.run(), name="load")

    async def _show_records(self) -> None:
        self._terminal.step("A log line, and the record it became")
        await self._show_record("access")
        self._terminal.step("A stack trace of many lines, and the one record it became")
        await self._show_record("java")

    async def _show_record(self, kind: str) -> None:
        pod = self._pod
        await self._until(partial(self._have_logged, kind), RECORD_WITHIN_S, f"no {kind} event was logged", "app")
        event = next(item.event for item in self._ledger.events() if item.kind == kind and item.event)
        record = await self._log_server.peer.find(event, RECORD_WITHIN_S)
        if record is None:
            raise StepFailed(f"no record of {event} arrived", pod.members["adapter"], pod.members["shipper"])
        path, raw = narration.raw_event(pod.places.shared, kind, event)
        self._terminal.say(f"{path.name}:")
        self._terminal.block(raw, most_lines=4)
        self._terminal.say("at the log server:")
        self._terminal.block(narration.record_text(json.loads(record)), most_lines=14)

    async def _switch_environments(self) -> None:
        self._terminal.step("The environment is switched, the app untouched")
        await self._show_answer("dev")
        self._pod.write_environment("test")
        self._terminal.say("the ambassador's settings file now says: environment: test")
        await self._show_switch_to("test")
        # A query whose session has just been replaced is done by then: the app replaces a session once, not twice.
        await asyncio.sleep(BETWEEN_SWITCHES_S)
        self._terminal.say("$ ambassador-dbproxy switch prod")
        self._terminal.block(await self._pod.switch_by_command("prod"))
        await self._show_switch_to("prod")

    async def _show_switch_to(self, environment: str) -> None:
        began = time.monotonic()
        what = f"the app is not served by {environment}"
        await self._until(partial(self._is_served_by, environment), SWITCH_WITHIN_S, what, "ambassador")
        self._terminal.say(f"the app is served by {environment} after {time.monotonic() - began:.1f} s")
        await self._show_answer(environment)

    async def _show_answer(self, environment: str) -> None:
        _, answer = await self._load.ask("/orders/1")
        pid = (await self._app_counts())["pid"]
        self._app_pids.append(pid)
        self._terminal.say(f"GET /orders/1 (app pid {pid}):")
        self._terminal.block(json.dumps(answer))
        if answer.get("environment") != environment:
            raise StepFailed(f"the answer is not from {environment}", self._pod.members["ambassador"])

    async def _kill_the_log_server(self, outage_s: float) -> None:
        self._terminal.step(f"The log server is killed, and gone for {outage_s:.1f} s")
        written = len(self._ledger.events())
        await self._log_server.kill()
        self._terminal.say("SIGKILL sent; the app goes on")
        await asyncio.sleep(outage_s)
        self._terminal.say(
            f"{len(self._ledger.events()) - written} log events written meanwhile: they wait in the pod's files"
        )
        await self._log_server.start()
        began = time.monotonic()
        await self._all_received()
        self._terminal.say(f"it is back, and has everything {time.monotonic() - began:.1f} s later")

    async def _go_on_until(self, end: float) -> None:
        if time.monotonic() < end:
            self._terminal.step("The load goes on")
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(REPORT_EVERY_S, left))
            made, written = self._load.counts.made, len(self._ledger.events())
            received = await self._log_server.peer.received()
            self._terminal.say(f"{made} requests, {written} log events, {received} records received")

    async def _keep_running(self) -> bool:
        await self._all_received()
        good = self._show(await self._proof(await self._app_counts()))
        self._terminal.step("It stays up; Ctrl-C stops it")
        for line in narration.how_to_reach(self._pod, self._log_server.peer.url):
            self._terminal.say(line)
        await self._interruption.wait()
        return good

    async def _stop_the_pod(self) -> bool:
        self._terminal.step("Everything stops, in the order of a pod: the app first, the shipper last")
        orderly = True
        async for stopped in self._pod.stop():
            self._terminal.verdict(
                stopped.status == 0, f"{stopped.name} ended", f"status {stopped.status} after {stopped.took_s:.1f} s"
            )
            if stopped.status != 0:
                orderly = False
                self._terminal.block("\n".join(self._pod.members[stopped.name].last_lines()))
        return orderly

    async def _stop_the_outside(self) -> None:
        await self._log_server.stop()
        for cluster in self._clusters:
            await cluster.server.stop(SERVER_STOPS_WITHIN_S)

    async def _proof(self, app: Mapping[str, int]) -> Proof:
        load = self._load.counts
        evidence = Evidence(
            requests_made=load.made,
            requests_failed=load.failed,
            first_failure=load.first_failure,
            queries=app["queries"],
            queries_failed=app["queries_failed"],
            sessions_replaced=app["sessions_replaced"],
            written=self._ledger.events(),
            records=await self._log_server.peer.records(),
            sent_again=await self._log_server.peer.sent_again(),
            log_server_kills=self._log_server.peer.kills,
            app_pids=[*self._app_pids, app["pid"]],
        )
        return await asyncio.to_thread(prove, evidence)

    def _show(self, proof: Proof) -> bool:
        narration.show(self._terminal, proof)
        return proof.holds

    async def _until(
        self, condition: Callable[[], Awaitable[bool]], within_s: float, what: str, *concerning: str
    ) -> None:
        """Look until the condition holds. Raises StepFailed when it does not within `within_s`."""
        end = time.monotonic() + within_s
        while not await condition():
            if time.monotonic() > end:
                raise StepFailed(f"{what} within {within_s:.0f} s", *[self._pod.members[name] for name in concerning])
            await asyncio.sleep(LOOK_EVERY_S)

    async def _have_logged(self, kind: str) -> bool:
        return any(item.kind == kind and item.event for item in self._ledger.events())

    async def _is_served_by(self, environment: str) -> bool:
        _, answer = await self._load.ask("/orders/1")
        return answer.get("environment") == environment

    async def _all_received(self) -> None:
        goal = len(self._ledger.events())

        async def reached() -> bool:
            return await self._log_server.peer.received() >= goal

        await self._until(reached, CATCH_UP_WITHIN_S, "not every log event was received", "adapter", "shipper")

    async def _app_counts(self) -> dict[str, int]:
        async with self._session.get(f"http://{self._pod.app_address}/-/stats") as response:
            counts: dict[str, int] = await response.json()
            return counts

    def _last_counts(self) -> dict[str, int]:
        app = self._pod.members["app"]
        counts = narration.last_event(app.last_lines(), "stopped")
        if counts is None:
            raise StepFailed("the app did not report its counts at its end", app)
        return {"pid": app.pid, **counts}
