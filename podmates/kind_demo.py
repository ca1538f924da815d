"""The story of `podmates kind-demo`: the app with all three mates in a cluster; shown, disturbed, held to account.

The manifests are k8s/demo and k8s/examples/databases.yaml. How a cluster is made and asked is `cluster`'s, what asks
inside of it is `desk`, and what counts as proven is decided in `proof`.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from podmates import narration
from podmates.cluster import NAMESPACE, Cluster
from podmates.proof import Evidence, parse_ledger, prove
from podmates.terminal import Terminal
from podmates.tool import ToolFailed
from podmates.victorialogs import as_sent, exactly

K8S = Path(__file__).resolve().parent.parent / "k8s"
DESK = ("exec", "desk", "--", "python3", "-m", "podmates.desk")
LEDGER = "import sys; sys.stdout.write(open('/var/lib/ledger/ledger.jsonl').read())"
DATABASES = ("pod/pg-dev", "pod/pg-test", "pod/pg-prod")
JOB, ROWS = "rows-of-report", 1000
LOAD_WITHIN_S = 600.0
OUTAGE_S = 3.0
LOOK_EVERY_S = 2.0
COMES_WITHIN_S, ASK_AGAIN_S = 90.0, 0.5


class KindStepFailed(Exception):
    """Something that should have happened did not."""


class KindDemo:
    """The demo in one cluster. Each of its steps may be run by itself, as often as one likes."""

    def __init__(self, terminal: Terminal, cluster: Cluster, version: str, arrives_within_s: float = 60.0) -> None:
        self._terminal = terminal
        self._arrives_within_s = arrives_within_s
        self._cluster = cluster
        names = ("logshipper", "logformat", "dbproxy", "demo-app", "demo-database")
        self._images = [f"podmates/{name}:{version}" for name in names]

    async def lacks(self, steps: Collection[str]) -> list[str]:
        """A sentence for each thing without which these steps cannot be taken."""
        return await self._cluster.lacks(self._images, steps)

    async def up(self) -> None:
        """The cluster, and in it the log server, the databases, and the app with its mates."""
        self._terminal.step("The cluster")
        names = await self._cluster.create(self._images)
        self._terminal.say(f"namespace {NAMESPACE}, where only restricted pods are let in")
        began = time.monotonic()
        self._terminal.step("Outside the pod: three databases and a log server; in it the app and three mates")
        await self._apply((K8S / "demo" / "namespace.yaml").read_text(), names)
        # A pod that comes before its namespace's service account is refused.
        await self._until(self._has_account, f"there is no service account in {NAMESPACE}")
        await self._apply((K8S / "examples" / "databases.yaml").read_text(), names)
        await self._apply(await self._cluster.kubectl("kustomize", str(K8S / "demo")), names)
        await self._cluster.kubectl("wait", "--for=condition=Ready", "--timeout=240s", "pod/desk", *DATABASES)
        for name in ("victorialogs", "webapp"):
            await self._rolled_out(name)
            self._terminal.say(f"{name} is ready")
        await self._app_answers()
        self._terminal.block(await self._answer())
        self._terminal.say(f"first answer after {time.monotonic() - began:.0f} s")

    async def show(self) -> bool:
        """The environment is switched under load, a Job completes, and everything is counted."""
        self._terminal.step("The environment is switched under load, the app untouched")
        before = await self._app_container()
        async with self._load():
            for environment in ("test", "prod", "dev"):
                await self._switch(environment)
        good = await self._app_container() == before
        self._terminal.verdict(good, "the app was not restarted", before.rpartition("/")[2][:12])
        good &= await self._job()
        good &= await self._proof()
        self._terminal.step("Look for yourself")
        self._terminal.say("http://127.0.0.1:9428/select/vmui, while this runs:")
        for line in self._cluster.by_hand("port-forward service/victorialogs 9428"):
            self._terminal.say(line)
        return good

    async def breaks(self) -> bool:
        """Under load the log server is gone for a while and the app's pod is deleted; produced = received."""
        async with self._load():
            await self._stop_the_log_server()
            self._terminal.step("The app's pod is deleted; another takes its place")
            pod = await self._one_pod("webapp")
            await self._desk("note", "restarts")
            await self._cluster.kubectl("delete", "pod", pod, "--wait=true")  # returns when its last mate has drained
            await self._rolled_out("webapp")
            self._terminal.say(f"{pod} is gone, {await self._one_pod('webapp')} is ready")
            await self._app_answers()
            self._terminal.block(await self._answer())
        return await self._proof()

    async def down(self) -> None:
        """Everything away."""
        self._terminal.step("Everything is taken away")
        await self._cluster.delete()

    async def troubles(self) -> list[str]:
        """What the cluster says of what went wrong: events, and the logs of pods that are not ready."""
        lines = []
        try:
            lines += (await self._cluster.kubectl("get", "events", "--sort-by=.lastTimestamp")).splitlines()[-12:]
            pods = json.loads(await self._cluster.kubectl("get", "pods", "--output=json"))["items"]
            for pod in pods:
                conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
                if conditions.get("Ready") != "True" and pod["status"].get("phase") != "Succeeded":
                    name = pod["metadata"]["name"]
                    lines.append(f"{name} is not ready:")
                    logs = ("logs", name, "--all-containers", "--prefix", "--tail=10", "--ignore-errors")
                    lines += (await self._cluster.kubectl(*logs)).splitlines()
        except (ToolFailed, ValueError) as failure:
            lines.append(str(failure))
        return lines

    async def _apply(self, manifests: str, names: Mapping[str, str]) -> None:
        """`names`: what the cluster calls the images of the manifests."""
        for image, name in names.items():
            manifests = manifests.replace(f"image: {image}", f"image: {name}")
        await self._cluster.kubectl("apply", "--filename", "-", given=manifests)

    async def _names_in_use(self) -> dict[str, str]:
        """Those of the app's pod, as the last `up` had them, by the names in the manifests."""
        in_use = await self._cluster.kubectl("get", "deployment", "webapp", "--output=jsonpath={..image}")
        ours = {image.rpartition(":")[0]: image for image in self._images}
        return {ours[name]: each for each in in_use.split() for name in ours if each.rpartition(":")[0].endswith(name)}

    async def _rolled_out(self, deployment: str) -> None:
        await self._cluster.kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=240s")

    @asynccontextmanager
    async def _load(self) -> AsyncIterator[None]:
        """Requests to the app while the block runs; what became of them is in the desk's book."""
        await self._desk("begin")
        running = asyncio.create_task(self._cluster.kubectl(*DESK, "load", within_s=LOAD_WITHIN_S), name="load")
        try:
            yield
            await self._desk("finish")
            await running
        except BaseException:
            with contextlib.suppress(ToolFailed):
                await self._desk("finish")  # kubectl's end is not the end of what it started in the pod
            raise
        finally:
            running.cancel()

    async def _switch(self, environment: str) -> None:
        switch = ("python3", "-m", "ambassador_dbproxy", "switch", environment)
        said = await self._cluster.kubectl("exec", "deployment/webapp", "--container", "ambassador", "--", *switch)
        self._terminal.block(said)
        answer = await self._answer()
        self._terminal.block(answer)
        if json.loads(answer).get("environment") != environment:
            raise KindStepFailed(f"the app is not served by {environment}")

    async def _stop_the_log_server(self) -> None:
        self._terminal.step(f"The log server is stopped, and gone for {OUTAGE_S:.0f} s")
        # In order: VictoriaLogs acknowledges before it writes to disk, so a kill would be its loss, and nobody's proof.
        await self._desk("note", "outages")
        try:
            await self._cluster.kubectl("scale", "deployment/victorialogs", "--replicas=0")
            await self._until(self._log_server_is_gone, "the log server has not ended")
            await asyncio.sleep(OUTAGE_S)
        finally:
            await self._cluster.kubectl("scale", "deployment/victorialogs", "--replicas=1")
        await self._rolled_out("victorialogs")
        self._terminal.say("it is back")

    async def _job(self) -> bool:
        self._terminal.step("A Job with a log shipper, which completes")
        await self._cluster.kubectl("delete", "job", JOB, "--ignore-not-found", "--cascade=foreground")
        report = await self._cluster.kubectl("kustomize", str(K8S / "demo" / "report"))
        await self._apply(report, await self._names_in_use())
        await self._cluster.kubectl("wait", "--for=condition=complete", f"job/{JOB}", "--timeout=120s")
        name = ("--output=jsonpath={.items[0].metadata.name}", f"--selector=job-name={JOB}")
        pod = await self._cluster.kubectl("get", "pods", *name)

        async def rows() -> int:
            return len(set(await self._records(app="report", k8s__pod__name=pod)))

        arrived = await self._settled(rows, ROWS)
        self._terminal.verdict(arrived == ROWS, "the Job's rows = records received", f"{ROWS} = {arrived}")
        return arrived == ROWS

    async def _proof(self) -> bool:
        ledger = ("exec", "deployment/webapp", "--container", "app", "--", "python3", "-c", LEDGER)
        written = parse_ledger(await self._cluster.kubectl(*ledger) + "\n")
        totals, stats = json.loads(await self._desk("totals")), json.loads(await self._desk("stats"))

        async def received() -> int:
            return len(set(await self._records(app="webapp")))

        await self._settled(received, len(written))
        lines = await self._records(app="webapp")
        logged = sum(event.kind == "access" and event.event is not None for event in written)
        made, failed = judged(totals, logged)
        if made != totals["made"]:
            self._terminal.say(f"{totals['unanswered']} requests found nobody while one pod took the other's place")
        evidence = Evidence(
            requests_made=made,
            requests_failed=failed,
            first_failure=totals.get("first_failure", "") if failed else "",
            queries=stats["queries"],
            queries_failed=stats["queries_failed"],
            sessions_replaced=stats["sessions_replaced"],
            written=written,
            records=sorted(set(lines)),
            sent_again=len(lines) - len(set(lines)),
            log_server_kills=totals.get("outages", 0),
            app_pids=None,
        )
        proof = await asyncio.to_thread(prove, evidence)
        narration.show(self._terminal, proof)
        return proof.holds

    async def _app_answers(self) -> None:
        """Returns when the app can be asked. Not counted, since a Service leads to a ready pod only some time later."""

        async def can_be_asked() -> bool:
            try:
                await self._desk("stats")
            except ToolFailed:
                return False
            return True

        await self._until(can_be_asked, "the app does not answer")

    async def _has_account(self) -> bool:
        account = ("serviceaccount", "default", "--ignore-not-found", "--output=name")
        return bool(await self._cluster.kubectl("get", *account))

    async def _log_server_is_gone(self) -> bool:
        selector = "--selector=app.kubernetes.io/name=victorialogs"
        return not await self._cluster.kubectl("get", "pods", "--output=name", selector)

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        end = time.monotonic() + COMES_WITHIN_S
        while not await condition():
            if time.monotonic() > end:
                raise KindStepFailed(f"{what} within {COMES_WITHIN_S:.0f} s")
            await asyncio.sleep(ASK_AGAIN_S)

    async def _settled(self, count: Callable[[], Awaitable[int]], goal: int) -> int:
        """The count once it has reached the goal, or when it has had its time."""
        end = time.monotonic() + self._arrives_within_s
        while (reached := await count()) < goal and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_S)
        return reached

    async def _records(self, **fields: str) -> list[bytes]:
        answer = await self._desk("records", exactly(**fields))
        return [as_sent(line) for line in answer.encode().split(b"\n") if line]

    async def _desk(self, *command: str) -> str:
        return await self._cluster.kubectl(*DESK, *command)

    async def _answer(self) -> str:
        return await self._desk("ask", "/orders/1")

    async def _one_pod(self, app: str) -> str:
        name = ("--output=jsonpath={.items[0].metadata.name}", f"--selector=app.kubernetes.io/name={app}")
        return await self._cluster.kubectl("get", "pods", *name)

    async def _app_container(self) -> str:
        identity = "{.items[0].status.containerStatuses[?(@.name=='app')].containerID}"
        selector = "--selector=app.kubernetes.io/name=webapp"
        return await self._cluster.kubectl("get", "pods", f"--output=jsonpath={identity}", selector)


def judged(totals: dict[str, Any], logged: int) -> tuple[int, int]:
    """How many requests count as made and as failed.

    While one pod takes the other's place a request may find nobody; whether the app then logged it cannot be known, so
    any number between those answered and those made is right. Without a restart each must be answered.
    """
    if not totals.get("restarts"):
        return totals["made"], totals["failed"]
    answered = totals["made"] - totals["unanswered"]
    made = logged if answered <= logged <= totals["made"] else totals["made"]
    return made, totals["failed"] - totals["unanswered"]
