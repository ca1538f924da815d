"""The architecture, checked by a machine: who may import whom, and which modules stay free of the outside world."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("chassis", "logtail", "sidecar_logshipper", "adapter_logformat", "ambassador_dbproxy", "podmates")

MAY_IMPORT = {
    "chassis": set(),
    "logtail": {"chassis"},
    "sidecar_logshipper": {"chassis", "logtail"},
    "adapter_logformat": {"chassis", "logtail"},
    "ambassador_dbproxy": {"chassis"},
    "podmates": {"chassis"},  # it starts the mates as processes, as a pod does
}

# A module is pure unless it is named here: it decides, and leaves sockets, files, clocks and waiting to these.
AT_THE_BORDER = {
    "chassis": {"arguments", "command", "lifecycle", "loading", "log", "ops", "reference", "secret", "signals", "tls"},
    "logtail": {
        "arrivals",
        "checkpoint",
        "claim",
        "compressions",
        "copies",
        "decoded",
        "discovery",
        "endings",
        "follower",
        "hints",
        "life",
        "locked_out",
        "lookout",
        "lost_names",
        "memory",
        "names",
        "opened",
        "positions",
        "reader",
        "roll",
        "saving",
        "tail",
        "trouble",
        "turns",
        "waiting",
    },
    "sidecar_logshipper": {
        "dead_letter",
        "delivery",
        "lane",
        "shipper",
        "sinks.credentials",
        "sinks.dial",
        "sinks.http",
        "sinks.local_file",
        "sinks.over_http",
        "sinks.roster",
        "sinks.stdout",
        "sinks.syslog",
        "window",
    },
    "adapter_logformat": {
        "adapter",
        "allocator",
        "commands",
        "conversion",
        "inputs.intake",
        "inputs.listeners",
        "journal",
        "keeper",
        "outlets",
        "output",
        "replay",
        "steps",
        "unpacked",
        "writer",
    },
    "ambassador_dbproxy": {
        "ambassador",
        "commands",
        "conversation",
        "credentials",
        "dial",
        "followed_session",
        "gate",
        "listener",
        "mysql.change_user",
        "mysql.entrance",
        "mysql.server_connection",
        "mysql.service",
        "mysql.session",
        "mysql.upstream",
        "operations",
        "postgres.service",
        "postgres.session",
        "postgres.upstream",
        "presence",
        "protocols",
        "reception",
        "redis.discovery",
        "redis.session",
        "redis.upstream",
        "relay",
        "servers",
        "service",
        "status",
        "surroundings",
        "tcp",
        "tls",
        "tls_transport",
        "upstream",
    },
    "podmates": {
        "child",
        "cluster",
        "databases",
        "demo",
        "desk",
        "interruption",
        "kind_demo",
        "launcher",
        "ledger",
        "load",
        "local_pod",
        "log_server.receiver",
        "log_server.record_store",
        "log_server_peer",
        "log_server_process",
        "mate_settings",
        "narration",
        "pod_demo",
        "podman",
        "ports",
        "postgres_binaries",
        "run_directory",
        "sample_app.database",
        "sample_app.event_log",
        "sample_app.shop",
        "terminal",
        "tool",
    },
}
THE_OUTSIDE_WORLD = {
    "aiohttp",
    "asyncinotify",
    "asyncio",
    "concurrent",
    "logging",
    "multiprocessing",
    "os",
    "random",
    "select",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "structlog",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
    "uvloop",
}
READS_THE_ENVIRONMENT = {"chassis/command.py"}  # everything else is handed what it needs
NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "data", "misc", "base"}

MODULES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that `path` imports when it runs, those inside functions too; `if TYPE_CHECKING` does not count."""
    tree = ast.parse((ROOT / path).read_text())
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; write the whole name"
            yield node.module or ""
        pending.extend(ast.iter_child_nodes(node))


def is_at_the_border(path: Path) -> bool:
    name = ".".join(path.with_suffix("").parts[1:])
    return path.stem == "__main__" or name in AT_THE_BORDER[path.parts[0]]


def test_there_is_something_to_check() -> None:
    assert {path.parts[0] for path in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_one_way(path: Path) -> None:
    package = path.parts[0]
    ours = {name.partition(".")[0] for name in imports(path)} & set(PACKAGES)
    assert ours <= MAY_IMPORT[package] | {package}


@pytest.mark.parametrize("path", [path for path in MODULES if not is_at_the_border(path)], ids=str)
def test_pure_modules_stay_pure(path: Path) -> None:
    outside = {name for name in imports(path) if name in THE_OUTSIDE_WORLD or name.split(".")[0] in THE_OUTSIDE_WORLD}
    assert not outside, f"{path} is pure; leave {', '.join(sorted(outside))} to a module at the border"


BORDER_MODULES = {".".join(path.with_suffix("").parts) for path in MODULES if is_at_the_border(path)}


@pytest.mark.parametrize("path", [path for path in MODULES if not is_at_the_border(path)], ids=str)
def test_pure_modules_rest_on_pure_modules(path: Path) -> None:
    at_the_border = set(imports(path)) & BORDER_MODULES
    assert not at_the_border, f"{path} decides nothing by itself; name it at the border, or part it"


@pytest.mark.parametrize("path", [path for path in MODULES if not is_at_the_border(path)], ids=str)
def test_pure_modules_open_no_file_and_read_no_clock(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    names |= {call.attr for call in calls if isinstance(call, ast.Attribute)}
    assert not names & {"open", "read_text", "read_bytes", "write_text", "write_bytes", "now", "utcnow", "today"}


def test_the_border_names_no_module_that_is_gone() -> None:
    named = {f"{package}/{name.replace('.', '/')}.py" for package, names in AT_THE_BORDER.items() for name in names}
    assert named <= {str(path) for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_the_composition_root_reads_the_environment(path: Path) -> None:
    if str(path) in READS_THE_ENVIRONMENT or path.name == "__main__.py":
        return
    reads = [node for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.Attribute)]
    assert not [node for node in reads if node.attr in ("environ", "getenv")]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_file_opens_with_its_role_and_has_a_telling_name(path: Path) -> None:
    assert ast.get_docstring(ast.parse((ROOT / path).read_text())), "say the file's role in its docstring"
    assert not NAMES_THAT_SAY_NOTHING & set(path.with_suffix("").parts)
