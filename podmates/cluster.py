"""A cluster for the demo: one of our own made by kind, or an existing one; kubectl on either; what a machine lacks.

The user's own kubeconfig and context are never touched: every command is told which cluster is meant.
"""

import asyncio
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from podmates.preflight import Existing, Machine, lacking_for_kind, lacking_in_cluster
from podmates.tool import ToolFailed, run_tool

NAME = NAMESPACE = "podmates-demo"
# As published with kind 0.29; an image is made for one version of kind and named by its digest.
NODE = "kindest/node:v1.33.1@sha256:050072256b9a903bd914c0b2866828150cb229cea0efe5892e2b644d5dd3b34f"
CREATED_WITHIN_S, COMMAND_WITHIN_S = 600.0, 300.0
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
MEMORY = Path("/proc/meminfo")


class Cluster:
    """kubectl in the demo's namespace. `environ` holds the KUBECONFIG."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    async def kubectl(self, *arguments: str, given: str = "", within_s: float = COMMAND_WITHIN_S) -> str:
        """What the command says. ToolFailed when it fails."""
        command = ("kubectl", "--namespace", NAMESPACE, *arguments)
        return await run_tool(*command, environ=self._environ, given=given.encode(), within_s=within_s)

    async def lacks(self, images: Sequence[str]) -> list[str]:
        """A sentence for each thing without which the demo cannot begin."""
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

    async def create(self, images: Sequence[str]) -> None:
        """Nothing to do: it is there, and pulls the images by itself."""

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

    async def lacks(self, images: Sequence[str]) -> list[str]:
        engine = await self._engine()
        missing = [image for image in images if engine and not await self._has(engine, image)]
        return lacking_for_kind(
            Machine(
                engine=engine,
                has_kind=bool(self._which("kind")),
                has_kubectl=bool(self._which("kubectl")),
                missing_images=missing,
                memory_mib=await asyncio.to_thread(_free_memory_mib),
                inotify_instances=await asyncio.to_thread(lambda: int(INOTIFY.read_text())),
            )
        )

    async def create(self, images: Sequence[str]) -> None:
        """The cluster, unless it is there, and the images on its node."""
        engine = await self._engine()
        self._kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        which = ("--name", NAME, "--kubeconfig", str(self._kubeconfig))
        if NAME in (await self._kind(engine, "get", "clusters")).split():
            await self._kind(engine, "export", "kubeconfig", *which)
        else:
            await self._kind(engine, "create", "cluster", *which, "--image", NODE, "--wait", "180s")
        if engine == "docker":
            await self._kind(engine, "load", "docker-image", *images, "--name", NAME)
            return
        # podman names what was built here localhost/…, which a node would not find under the name of the manifest.
        published = [f"docker.io/{image}" for image in images]
        with tempfile.TemporaryDirectory() as directory:
            archive = f"{directory}/images.tar"
            for image, name in zip(images, published, strict=True):
                await self._run("podman", "tag", image, name)
            await self._run("podman", "save", "--multi-image-archive", "--output", archive, *published)
            await self._kind(engine, "load", "image-archive", archive, "--name", NAME)

    async def delete(self) -> None:
        """The whole cluster."""
        await self._kind(
            await self._engine(), "delete", "cluster", "--name", NAME, "--kubeconfig", str(self._kubeconfig)
        )

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


def _free_memory_mib() -> int:
    lines = dict(line.split(":", 1) for line in MEMORY.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) // 1024
