"""Fixtures: real PostgreSQL clusters, made once per test run, and ambassadors, made once per test."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from ambassador_dbproxy.credentials import SaltedPasswords
from ambassador_dbproxy.metrics import Tally
from ambassador_dbproxy.surroundings import Surroundings


def _beside(name: str) -> Any:
    """A module beside this one: pytest's importlib mode puts no test folder on the path."""
    full = f"ambassador_dbproxy_tests_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec
        assert spec.loader
        sys.modules[full] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[full]


_certificates, _clusters, processes = _beside("certificates"), _beside("clusters"), _beside("processes")


@pytest.fixture(scope="session")
def certificates() -> Any:
    """The module beside this one."""
    return _certificates


@pytest.fixture(scope="session")
def faults() -> Any:
    """The module beside this one."""
    return _beside("faults")


@pytest.fixture(scope="session")
def clusters() -> Any:
    """The module beside this one."""
    return _clusters


@pytest.fixture(scope="session")
def make_cluster() -> Iterator[Callable[..., Any]]:
    """`make_cluster("15", "dev")`: that server, filled; the same one each time it is asked for."""
    made: dict[tuple[str, str], Any] = {}

    def make(version: str = "18", name: str = "dev", **extra: str) -> Any:
        if (version, name) not in made:
            folder = _clusters.binaries(version)
            if folder is None:
                pytest.skip(f"PostgreSQL {version} is not on this machine")
            made[version, name] = cluster = _clusters.Cluster(version, name, folder, extra=extra)
            cluster.initialise()
            cluster.start()
            cluster.fill()
        cluster = made[version, name]
        if cluster.process is None:
            cluster.start()
        return cluster

    yield make
    for cluster in made.values():
        cluster.destroy()


@pytest.fixture(params=["15", "18"])
def postgres_cluster(request: pytest.FixtureRequest, make_cluster: Callable[..., Any]) -> Any:
    """A PostgreSQL server, once for each version there is."""
    return make_cluster(request.param, "dev")


@pytest.fixture
def ambassador(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`ambassador(settings)`: a started process; killed at the end if the test did not stop it."""
    yield from _ambassadors(tmp_path)


@pytest.fixture(scope="module")
def lasting_ambassador(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """The same for a whole module, whose tests then share it."""
    yield from _ambassadors(tmp_path_factory.mktemp("ambassador"))


def _ambassadors(directory: Path) -> Iterator[Callable[..., Any]]:
    started: list[Any] = []

    def start(settings: dict[str, Any], **environ: str) -> Any:
        folder = directory / str(len(started))
        folder.mkdir()
        started.append(processes.Ambassador(settings, folder, **environ))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def surroundings() -> Callable[..., Surroundings]:
    """`surroundings(log=…)`: for what runs in the test's own process. Servers are looked at once only."""

    def make(log: Any = None) -> Surroundings:
        return Surroundings(
            connect_timeout_s=20.0,
            login_timeout_s=20.0,
            probe_interval_s=600.0,
            max_waiting=1,
            keys=SaltedPasswords(),
            tally=Tally(connected=lambda _: None, logged_in=lambda _: None),
            random=lambda: 0.5,
            nonce=lambda: "n" * 24,
            log=log or CapturingLogger(),
        )

    return make


@pytest.fixture
def target() -> Callable[..., dict[str, Any]]:
    """`target(cluster)`: the settings of an environment that leads to it with its credentials."""

    def make(cluster: Any, **changes: Any) -> dict[str, Any]:
        return {
            "hosts": [cluster.address],
            "user": _clusters.USER,
            "password_file": str(cluster.password_file),
            "database": _clusters.DATABASE,
            **changes,
        }

    return make


@pytest.fixture
def postgres_settings() -> Callable[..., dict[str, Any]]:
    """`postgres_settings(dev=target(...))`: one listener on a free port."""

    def make(limits: dict[str, Any] | None = None, **environments: dict[str, Any]) -> dict[str, Any]:
        listener = {
            "name": "orders",
            "listen": "127.0.0.1:0",
            "protocol": "postgres",
            "environments": environments,
            "limits": limits or {},
        }
        return {"environment": next(iter(environments)), "listeners": [listener]}

    return make
