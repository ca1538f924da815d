"""podman, asked by its command line: play a manifest, look at containers, kill them, stop them, clean up.

What is played is prepared in `kube_play`; when and why is the story's matter.
"""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from podmates.kube_play import Document, empty_volumes
from podmates.tool import ToolFailed, run_tool

COMMAND_WITHIN_S = 120


class Podman:
    """podman with this environment (CONTAINERS_CONF says which configuration), on a network of its own."""

    def __init__(self, environ: Mapping[str, str], network: str) -> None:
        self._environ = dict(environ)
        self._network = network

    async def run(self, *arguments: str, given: bytes = b"") -> str:
        """What the command says on standard output. ToolFailed when it fails."""
        return await run_tool("podman", *arguments, environ=self._environ, given=given, within_s=COMMAND_WITHIN_S)

    async def has_image(self, image: str) -> bool:
        return await self._exists("image", image)

    async def play(self, documents: list[Document]) -> None:
        """Starts the pods of prepared documents."""
        for volume in empty_volumes(documents):
            await self.run("volume", "create", volume)
            (await self.volume(volume)).chmod(0o1777)
        text = yaml.safe_dump_all(documents).encode()
        await self.run("kube", "play", "--network", self._network, "--log-driver", "k8s-file", "-", given=text)

    async def address(self, pod: str) -> str:
        """The address of a pod on the network."""
        networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        infra = await self.run("pod", "inspect", "--format", "{{.InfraContainerID}}", pod)
        return await self.run("container", "inspect", "--format", networks, infra)

    async def process(self, container: str) -> int:
        """The process id of a container's main process, 0 while it has none."""
        return int(await self.run("container", "inspect", "--format", "{{.State.Pid}}", container))

    async def crash(self, container: str) -> None:
        """SIGKILL from outside, as the kernel's out-of-memory killer sends it; the restart policy brings it back."""
        os.kill(await self.process(container), signal.SIGKILL)

    async def stop(self, containers: Sequence[str], within_s: float) -> list[int]:
        """SIGTERM to all of a pod's containers at once, and SIGKILL to those that take longer; their exit statuses.

        Not by `podman stop`: a container that it stops counts as stopped at once, and when none is left that counts as
        running, podman takes the pod's network away from those that are still ending, and kills them after 10 s.
        """
        await self._signal("TERM", containers)
        try:
            async with asyncio.timeout(within_s):
                statuses = await self.run("wait", *containers)
        except TimeoutError:
            await self._signal("KILL", containers)
            statuses = await self.run("wait", *containers)
        return [int(status) for status in statuses.split()]

    async def _signal(self, name: str, containers: Sequence[str]) -> None:
        """To those that run; podman takes it for a failure of all when one does not."""
        if running := [container for container in containers if await self.process(container)]:
            await self.run("kill", "--signal", name, *running)

    async def last_lines(self, container: str, count: int = 15) -> list[str]:
        """The end of what a container wrote on standard output and standard error."""
        path = await self.run("container", "inspect", "--format", "{{.HostConfig.LogConfig.Path}}", container)
        try:
            lines = await asyncio.to_thread(Path(path).read_text)
        except OSError:
            return []
        # Each line of the k8s-file driver: time, stream, F or P, text.
        return [line.split(" ", 3)[3] for line in lines.splitlines()[-count:] if line.count(" ") >= 3]

    async def volume(self, name: str) -> Path:
        """Where the files of a volume are on this machine."""
        return Path(json.loads(await self.run("volume", "inspect", name))[0]["Mountpoint"])

    async def _exists(self, kind: str, name: str) -> bool:
        try:
            await self.run(kind, "exists", name)
        except ToolFailed:
            return False
        return True

    async def __aenter__(self) -> "Podman":
        if await self._exists("network", self._network):  # a killed run left it
            await self.run("network", "rm", "--force", "--time", "0", self._network)
        await self.run("network", "create", "--label", "podmates=demo", self._network)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.shield(self.run("network", "rm", "--force", "--time", "0", self._network))

    async def remove(self, pods: list[str], volumes: list[str]) -> None:
        """Pods and volumes, whether they are there or not."""
        await self.run("pod", "rm", "--force", "--ignore", "--time", "0", *pods)
        await self.run("volume", "rm", "--force", *volumes)
