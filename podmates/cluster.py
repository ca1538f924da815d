"""A cluster for the demo: one of our own made by kind, or an existing one; kubectl on either; what a machine lacks.

The user's own kubeconfig and context are never touched: every command is told which cluster is meant.
"""

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from podmates.preflight import Existing, Machine, lacking_for_kind, lacking_in_cluster
from podmates.tool import ToolFailed, run_tool

NAME = NAMESPACE = "podmates-demo"
# As published with kind 0.29; an image is made for one version of kind and named by its digest.
NODE = "kindest/node:v1.33.1@sha256:050072256b9a903bd914c0b2866828150cb229cea0efe5892e2b644d5dd3b34f"
CREATED_WITHIN_S, COMMAND_WITHIN_S = 600.0, 300.0
INOTIFY, MEMORY = Path("sys/fs/inotify/max_user_instances"), Path("meminfo")  # below /proc, which only Linux has


class Cluster:
    """kubectl in the demo's namespace. `environ` holds the KUBECONFIG; `registry` is where its nodes find images."""

    def __init__(self, environ: Mapping[str, str], registry: str = "") -> None:
        self._environ = dict(environ)
        self._registry = registry

    async def kubectl(self, *arguments: str, given: str = "", within_s: float = COMMAND_WITHIN_S) -> str:
        """What the command says. ToolFailed when it fails."""
        command = ("kubectl", "--namespace", NAMESPACE, *arguments)
        return await run_tool(*command, environ=self._environ, given=given.encode(), within_s=within_s)

    def by_hand(self, command: str) -> list[str]:
        """What a person types to give this cluster a command."""
        kubeconfig = shlex.quote(self._environ.get("KUBECONFIG", ""))
        return [f"export KUBECONFIG={kubeconfig}", f"kubectl --namespace {NAMESPACE} {command}"]

    async def lacks(self, images: Sequence[str], steps: Collection[str]) -> list[str]:
        """A sentence for each thing without which these steps of the demo cannot be taken."""
        kubeconfig, has_kubectl = self._environ.get("KUBECONFIG", ""), bool(self._which("kubectl"))
        if not (has_kubectl and kubeconfig):
            return lacking_in_cluster(Existing(has_kubectl, kubeconfig))
        try:
            told = json.loads(await self.kubectl("version", "--output=json", within_s=30))["serverVersion"]
        except ToolFailed as failure:
            return lacking_in_cluster(Existing(kubeconfig=kubeconfig, unreachable=str(failure)))
        classes = json.loads(await self.kubectl("get", "storageclass", "--output=json"))["items"]
        is_default = "storageclass.kubernetes.io/is-default-class"
        existing = Existing(
            kubeconfig=kubeconfig,
            version=(int(told["major"]), int(re.sub(r"\D", "", told["minor"]))),
            has_default_storage=any(each["metadata"].get("annotations", {}).get(is_default) for each in classes),
        )
        return lacking_in_cluster(existing)

    async def create(self, images: Sequence[str]) -> dict[str, str]:
        """Nothing to do: it is there, and pulls the images by itself. What it calls each of them."""
        return {image: f"{self._registry}/{image}" if self._registry else image for image in images}

    async def delete(self) -> None:
        """Takes away what the demo made."""
        await self.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")

    def _which(self, program: str) -> str | None:
        return shutil.which(program, path=self._environ.get("PATH", os.defpath))


class KindCluster(Cluster):
    """A cluster of our own, with a kubeconfig of its own."""

    def __init__(self, environ: Mapping[str, str], kubeconfig: Path) -> None:
        super().__init__({**environ, "KUBECONFIG": str(kubeconfig)})
        self._kubeconfig = kubeconfig

    async def lacks(self, images: Sequence[str], steps: Collection[str]) -> list[str]:
        if set(steps) <= {"down"}:
            return []
        engine, has_kind = await self._engine(), bool(self._which("kind"))
        makes = "up" in steps
        missing = [image for image in images if makes and engine and not await self._has(engine, image)]
        is_there = bool(engine and has_kind) and await self._is_there(engine)
        proc = Path(self._environ.get("HOST_PROC", "/proc"))
        return lacking_for_kind(
            Machine(
                engine=engine,
                has_kind=has_kind,
                has_kubectl=bool(self._which("kubectl")),
                has_cluster=is_there or makes or not (engine and has_kind),
                missing_images=missing,
                # A cluster that is there has taken its memory already.
                memory_mib=None if is_there else await asyncio.to_thread(_free_memory_mib, proc / MEMORY),
                inotify_instances=None if is_there else await asyncio.to_thread(_number, proc / INOTIFY),
            )
        )

    async def create(self, images: Sequence[str]) -> dict[str, str]:
        """The cluster, unless it is there, and the images on its node; what they are called there."""
        engine = await self._engine()
        self._kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        which = ("--name", NAME, "--kubeconfig", str(self._kubeconfig))
        if await self._is_there(engine):
            try:
                await self._kind(engine, "export", "kubeconfig", *which)
            except ToolFailed as failure:
                raise ToolFailed(f"{failure}; take away what there is of it: make kind-demo ARGS=down") from None
        else:
            await self._make(engine, *which)
        return await self._load(engine, images)

    async def _load(self, engine: str, images: Sequence[str]) -> dict[str, str]:
        names = {image: await self._name_on_node(engine, image) for image in images}
        several = ["--multi-image-archive"] if engine == "podman" else []
        with tempfile.TemporaryDirectory() as directory:
            archive = f"{directory}/images.tar"
            for image, name in names.items():
                await self._run(engine, "tag", image, name)
            await self._run(engine, "save", *several, "--output", archive, *names.values())
            await self._run(engine, "image", "rm", *names.values())  # only these names of theirs
            await self._kind(engine, "load", "image-archive", archive, "--name", NAME)
        return names

    async def _name_on_node(self, engine: str, image: str) -> str:
        """With a host, since docker, podman and the node would each think of another one, and `localhost/` is taken as
        it is by all; with the content as tag, so that what was built anew is another image, and is rolled out."""
        content = await self._run(engine, "image", "inspect", "--format", "{{.Id}}", image)
        return f"localhost/{image.rpartition(':')[0]}:{content.removeprefix('sha256:')[:12]}"

    async def delete(self) -> None:
        """The whole cluster."""
        await self._kind(
            await self._engine(), "delete", "cluster", "--name", NAME, "--kubeconfig", str(self._kubeconfig)
        )

    async def _make(self, engine: str, *which: str) -> None:
        try:
            await self._kind(engine, "create", "cluster", *which, "--image", NODE, "--wait", "180s")
        except (asyncio.CancelledError, ToolFailed):
            with contextlib.suppress(ToolFailed):
                await self.delete()  # the next time, half a cluster would be taken for one
            raise

    async def _is_there(self, engine: str) -> bool:
        return NAME in (await self._kind(engine, "get", "clusters")).split()

    async def _engine(self) -> str:
        """The engine that works; docker before podman."""
        for engine in ("docker", "podman"):
            try:
                await self._run(engine, "info")
            except ToolFailed:
                continue
            return engine
        return ""

    async def _has(self, engine: str, image: str) -> bool:
        try:
            await self._run(engine, "image", "inspect", image)
        except ToolFailed:
            return False
        return True

    async def _kind(self, engine: str, *arguments: str) -> str:
        return await self._run("kind", *arguments, KIND_EXPERIMENTAL_PROVIDER=engine)

    async def _run(self, *command: str, **environ: str) -> str:
        return await run_tool(*command, environ=self._environ | environ, within_s=CREATED_WITHIN_S)


def _free_memory_mib(path: Path) -> int | None:
    if not path.exists():
        return None
    lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) // 1024


def _number(path: Path) -> int | None:
    return int(path.read_text()) if path.exists() else None
