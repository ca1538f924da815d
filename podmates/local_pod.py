"""The pod itself: the mates and the app as processes that share a directory and loopback, in the order of a real pod.

Started: shipper, adapter, ambassador, then the app, each when the one before is ready. Stopped: the app first, then
the mates in reverse. What is done with the running pod is left to `demo`.
"""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from podmates import mate_settings
from podmates.child import Child, ChildFailed
from podmates.databases import Database
from podmates.launcher import Launcher
from podmates.mate_settings import Places

APP_STOPS_WITHIN_S = 30.0
MATE_STOPS_WITHIN_S = 30.0
MODULES = {
    "shipper": "sidecar_logshipper",
    "adapter": "adapter_logformat",
    "ambassador": "ambassador_dbproxy",
    "app": "podmates.sample_app",
}


@dataclass(frozen=True)
class Stopped:
    """How a member of the pod ended."""

    name: str
    status: int
    took_s: float


class LocalPod:
    """One pod below `directory`, which must be new."""

    def __init__(
        self,
        launcher: Launcher,
        directory: Path,
        databases: Mapping[str, Database],
        *,
        logs_url: str,
        ledger: Path,
    ) -> None:
        self.directory = directory
        self.places = Places(directory / "shared", directory / "state", directory / "secrets")
        self.settings = directory / "settings"
        self.members: dict[str, Child] = {}
        self.app_address = ""
        self.database_address = ""
        self._launcher = launcher
        self._databases = databases
        self._logs_url = logs_url
        self._ledger = ledger

    async def start(self, environment: str) -> AsyncIterator[Child]:
        """Start everything in pod order; each member is handed out when it is ready."""
        self._write_settings(environment)
        yield (await self._start_mate("shipper"))[0]
        yield (await self._start_mate("adapter"))[0]
        ambassador, facts = await self._start_mate("ambassador")
        self.database_address = _listener(ambassador, facts)
        yield ambassador
        app, facts = await self._start_member("app", self._app_arguments())
        self.app_address = str(facts["listen"])
        yield app

    async def stop(self) -> AsyncIterator[Stopped]:
        """Stop the members in pod order; each is reported when it has ended. Raises ChildFailed past its deadline."""
        for name in reversed(MODULES):
            if (child := self.members.get(name)) is None:
                continue
            began = time.monotonic()
            status = await child.stop(APP_STOPS_WITHIN_S if name == "app" else MATE_STOPS_WITHIN_S)
            yield Stopped(name, status, time.monotonic() - began)

    def write_environment(self, environment: str) -> None:
        """Write another environment into the ambassador's settings file, as a changed ConfigMap would."""
        text = mate_settings.ambassador(self.places, self._databases, environment)
        _replace(self.settings / "ambassador.yaml", text)

    async def switch_by_command(self, environment: str) -> str:
        """Have `ambassador-dbproxy switch` do it, beside the running ambassador; returns what it said."""
        ambassador = self.members["ambassador"]
        arguments = ["switch", environment, "--ops", str(ambassador.facts["ops"])]
        status, said = await self._launcher.command(MODULES["ambassador"], *arguments)
        if status:
            raise ChildFailed(ambassador, f"did not take the switch: {said}")
        return said

    def _write_settings(self, environment: str) -> None:
        logs = self.places.shared / mate_settings.APP_LOGS
        state = [self.places.state / name for name in ("shipper", "adapter")]
        for directory in (logs, (self.places.shared / mate_settings.RECORDS).parent, self.places.secrets, *state):
            directory.mkdir(parents=True)
        self.settings.mkdir()
        _replace(self.settings / "shipper.yaml", mate_settings.shipper(self.places, self._logs_url))
        _replace(self.settings / "adapter.yaml", mate_settings.adapter(self.places))
        self.write_environment(environment)
        for database in self._databases.values():
            secret = mate_settings.password_file(self.places, database)
            secret.touch(mode=0o600)
            secret.write_text(database.password + "\n")

    async def _start_mate(self, name: str) -> tuple[Child, Mapping[str, object]]:
        return await self._start_member(name, ["--config", str(self.settings / f"{name}.yaml")])

    async def _start_member(self, name: str, arguments: list[str]) -> tuple[Child, Mapping[str, object]]:
        child = await self._launcher.python(name, MODULES[name], *arguments)
        self.members[name] = child
        return child, await child.ready()

    def _app_arguments(self) -> list[str]:
        # A user, no password and a name of its own: what is real about them is the ambassador's to know.
        url = f"postgresql://app@{self.database_address}/app"
        logs = self.places.shared / mate_settings.APP_LOGS
        return ["--logs", str(logs), "--ledger", str(self._ledger), "--database", url]


def _listener(ambassador: Child, facts: Mapping[str, object]) -> str:
    listeners = facts.get("listeners")
    if not isinstance(listeners, Mapping) or "orders" not in listeners:
        raise ChildFailed(ambassador, "did not say where it listens")
    return str(listeners["orders"])


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".new")
    beside.write_text(text)
    beside.replace(path)
