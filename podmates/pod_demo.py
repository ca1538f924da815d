"""The story of `podmates pod-demo`: the example pod with all three mates, in real containers under podman.

The same proof as the demo without containers, from the manifests that people copy. Podman's side is in `podman`, what
it needs changed in a manifest in `kube_play`.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from podmates import narration
from podmates.kube_play import Document, containers, prepared
from podmates.ledger import Ledger
from podmates.load import Load
from podmates.log_server_peer import LogServerPeer
from podmates.podman import Podman
from podmates.proof import Evidence, Proof, prove
from podmates.terminal import Terminal

EXAMPLES = Path(__file__).resolve().parent.parent / "k8s" / "examples"
MANIFESTS = ("logserver", "databases", "three-mates.classic")
LOG_SERVER = "logserver-logserver"
LEDGER = "/var/log/app/ledger.jsonl"
LOG_SERVER_PORT, APP_PORT, OPS_PORTS = 8514, 8080, {"shipper": 9101, "adapter": 9102, "ambassador": 9103}
WITHIN_S = 120.0
STOPS_WITHIN_S = 40
OUTAGE_S = 2.0
LOOK_EVERY_S = 0.2


class PodStepFailed(Exception):
    """Something that should have happened did not; the end of the log of `container` may say why."""

    def __init__(self, what: str, container: str = "", last_lines: Sequence[str] = ()) -> None:
        super().__init__(what)
        self.container = container
        self.last_lines = last_lines


class PodDemo:
    """One run. Pods and volumes are removed at its end, whatever happens."""

    def __init__(self, terminal: Terminal, podman: Podman, session: aiohttp.ClientSession) -> None:
        self._terminal = terminal
        self._podman = podman
        self._session = session
        self._documents = {name: _manifest(name) for name in MANIFESTS}
        self._log_server: LogServerPeer
        self._ledger: Ledger
        self._load: Load
        self._app = ""
        self._pod = ""
        self._app_processes: list[int] = []

    async def run(self, seconds: float) -> bool:
        """True when the proof holds."""
        await self._images_are_there()
        await self._podman.remove(*self._names())  # what a killed run left
        try:
            await self._start()
            self._load = Load(self._session, self._app, secrets.token_hex(3))
            async with asyncio.TaskGroup() as tasks:
                loading, began = tasks.create_task(self._load.run(), name="load"), time.monotonic()
                await self._switch("prod")
                await self._crash_the_mates()
                await self._kill_the_log_server()
                await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
                self._load.finish()
                await loading
            app = await self._app_counts()
            good = await self._stop()
            return self._show(await self._proof(app)) and good
        finally:
            await asyncio.shield(self._podman.remove(*self._names()))

    async def _images_are_there(self) -> None:
        images = {each["image"] for pod in self._pods() for each in pod["spec"]["containers"]}
        missing = [image for image in sorted(images) if not await self._podman.has_image(image)]
        if missing:
            raise PodStepFailed(
                f"no image {', '.join(missing)}; build them: make images (OFFLINE=1 without a registry)"
            )

    async def _start(self) -> None:
        self._terminal.step("Outside the pod: three databases and a log server, in containers")
        for name in MANIFESTS[:2]:
            await self._podman.play(self._documents[name])
        self._log_server = LogServerPeer(self._session, await self._log_server_url())
        await self._until(self._log_server.answers, "the log server does not answer", LOG_SERVER)
        self._terminal.say(f"log server  {self._log_server.url}")
        self._terminal.step("The pod: k8s/examples/three-mates.classic.yaml")
        await self._podman.play(self._documents[MANIFESTS[2]])
        self._pod = await self._podman.address("webapp")
        self._app = f"http://{self._pod}:{APP_PORT}"
        for mate in OPS_PORTS:
            await self._until(partial(self._is_ready, mate), f"{mate} is not ready", f"webapp-{mate}")
            self._terminal.say(f"{mate:<11} ready")
        await self._until(self._app_answers, "the app does not answer", "webapp-app")
        self._terminal.say(f"app         {self._app}, served by its database at 127.0.0.1:5432")
        self._ledger = Ledger(await self._podman.volume("webapp-logs") / Path(LEDGER).name)

    async def _switch(self, environment: str) -> None:
        self._terminal.step("The environment is switched, the app untouched")
        self._app_processes.append(await self._podman.process("webapp-app"))
        for line in (await self._answer(), await self._switch_command(environment), ""):
            self._terminal.block(line)

        async def is_served_by() -> bool:
            return f'"environment": "{environment}"' in await self._answer()

        await self._until(is_served_by, f"the app is not served by {environment}", "webapp-ambassador")
        self._terminal.block(await self._answer())

    async def _switch_command(self, environment: str) -> str:
        command = ("python3", "-m", "ambassador_dbproxy", "switch", environment)
        return await self._podman.run("exec", "webapp-ambassador", *command)

    async def _crash_the_mates(self) -> None:
        self._terminal.step("Shipper and adapter are killed (SIGKILL); podman brings them back")
        for mate in ("shipper", "adapter"):
            container = f"webapp-{mate}"
            before = await self._podman.process(container)
            await self._podman.crash(container)
            await self._until(partial(self._is_back, mate, before), f"{mate} is not back", container)
            self._terminal.say(f"{mate:<11} back")

    async def _kill_the_log_server(self) -> None:
        self._terminal.step(f"The log server is killed, and gone for {OUTAGE_S:.0f} s")
        await self._log_server.will_be_killed()
        await self._podman.run("kill", "--signal", "KILL", LOG_SERVER)
        await asyncio.sleep(OUTAGE_S)
        await self._podman.run("start", LOG_SERVER)
        # Its pod went with its only container and has another address now: the shipper looks the name up again.
        self._log_server.url = await self._log_server_url()
        await self._until(self._log_server.answers, "the log server is not back", LOG_SERVER)
        goal = len(self._ledger.events())

        async def reached() -> bool:
            return await self._log_server.received() >= goal

        await self._until(reached, "not every log event was received", "webapp-shipper")
        self._terminal.say("it is back, and has everything")

    async def _stop(self) -> bool:
        self._terminal.step("All containers of the pod get SIGTERM at once, as in a pod without native sidecars")
        self._app_processes.append(await self._podman.process("webapp-app"))
        names = containers(self._documents[MANIFESTS[2]])
        statuses = await self._podman.stop(names, STOPS_WITHIN_S)
        for name, status in zip(names, statuses, strict=True):
            self._terminal.verdict(status == 0, f"{name} ended", f"status {status}")
            if status:
                self._terminal.block("\n".join(await self._podman.last_lines(name, 6)), most_lines=40)
        return not any(statuses)

    async def _proof(self, app: dict[str, Any]) -> Proof:
        stopped = narration.last_event(await self._podman.last_lines("webapp-app"), "stopped") or app
        load = self._load.counts
        evidence = Evidence(
            requests_made=load.made,
            requests_failed=load.failed,
            first_failure=load.first_failure,
            queries=stopped["queries"],
            queries_failed=stopped["queries_failed"],
            sessions_replaced=stopped["sessions_replaced"],
            written=self._ledger.events(),
            records=await self._log_server.records(),
            sent_again=await self._log_server.sent_again(),
            log_server_kills=self._log_server.kills,
            app_pids=self._app_processes,
        )
        return await asyncio.to_thread(prove, evidence)

    def _show(self, proof: Proof) -> bool:
        narration.show(self._terminal, proof)
        return proof.holds

    async def _log_server_url(self) -> str:
        return f"http://{await self._podman.address('logserver')}:{LOG_SERVER_PORT}"

    async def _answer(self) -> str:
        _, answer = await self._load.ask("/orders/1")
        return json.dumps(answer)

    async def _app_counts(self) -> dict[str, Any]:
        async with self._session.get(f"{self._app}/-/stats") as response:
            counts: dict[str, Any] = await response.json()
            return counts

    async def _app_answers(self) -> bool:
        # /-/stats is no event of the log, so asking it does not disturb the count.
        try:
            return bool(await self._app_counts())
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _is_ready(self, mate: str) -> bool:
        try:
            async with self._session.get(f"http://{self._pod}:{OPS_PORTS[mate]}/readyz") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _is_back(self, mate: str, before: int) -> bool:
        return await self._podman.process(f"webapp-{mate}") not in (0, before) and await self._is_ready(mate)

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str, container: str) -> None:
        end = time.monotonic() + WITHIN_S
        while not await condition():
            if time.monotonic() > end:
                lines = await self._podman.last_lines(container)
                raise PodStepFailed(f"{what} within {WITHIN_S:.0f} s", container, lines)
            await asyncio.sleep(LOOK_EVERY_S)

    def _pods(self) -> Iterator[Document]:
        for documents in self._documents.values():
            yield from (document for document in documents if document["kind"] == "Pod")

    def _names(self) -> tuple[list[str], list[str]]:
        """Of all pods, and of all their volumes."""
        pods = list(self._pods())
        # podman names the volume of an emptyDir by the volume, and that of a ConfigMap by the ConfigMap.
        volumes = [volume.get("configMap", volume)["name"] for pod in pods for volume in pod["spec"]["volumes"]]
        return [pod["metadata"]["name"] for pod in pods], volumes


def _manifest(name: str) -> list[Document]:
    documents = yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text())
    # The ledger is what the records are held against. It lies beside the logs, under a name no mate follows.
    return prepared(documents, {"app": {"APP_LEDGER": LEDGER}})
