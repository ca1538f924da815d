"""`ambassador-dbproxy status` and `switch ENV`: the caller's side, a short-lived process beside the running one."""

from __future__ import annotations

import argparse
import http.client
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ambassador_dbproxy.operations import SwitchAnswer, SwitchRequest
from ambassador_dbproxy.settings import Settings
from ambassador_dbproxy.status import Status, status_text
from chassis.arguments import Parser
from chassis.command import settings_path
from chassis.errors import EXIT_OPERATOR_MISTAKE
from chassis.loading import load
from chassis.settings import Address, SettingsError

NAMES = ("status", "switch")
EXIT_UNAVAILABLE = 69
TIMEOUT_S = 10.0


class CommandFailed(Exception):
    """The command ends with `status`, and this text on standard error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def run_command(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command and return its exit status: 0, 64 for a mistake in what was asked, 69 if nobody answers."""
    options = _parser().parse_args(argv)
    try:
        ops = options.ops or _ops_of_settings(options.config, environ)
        if options.command == "status":
            answer = _call(ops, "GET", "/status")
            sys.stdout.write(answer.decode() + "\n" if options.json else status_text(_decoded(answer)))
        else:
            done = _call(ops, "POST", "/environment", msgspec.json.encode(SwitchRequest(options.environment)))
            print(_switch_text(msgspec.json.decode(done, type=SwitchAnswer)))
    except CommandFailed as failure:
        print(f"ambassador-dbproxy {options.command}: {failure}", file=sys.stderr)
        return failure.status
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="ambassador-dbproxy")
    commands = parser.add_subparsers(dest="command", required=True)
    status = commands.add_parser("status", help="print listeners, environment, targets, health and sessions")
    status.add_argument("--json", action="store_true", help="print the facts as JSON")
    switch = commands.add_parser("switch", help="lead the running ambassador to another environment")
    switch.add_argument("environment", metavar="ENV")
    for each in (status, switch):
        each.add_argument("--config", type=Path, metavar="FILE", help="settings of the running ambassador")
        each.add_argument("--ops", type=_address, metavar="ADDRESS", help="its ops address, instead of the settings'")
    return parser


def _address(text: str) -> Address:
    try:
        return Address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _ops_of_settings(config: Path | None, environ: Mapping[str, str]) -> Address:
    try:
        listen = load(Settings, settings_path("dbproxy", config), environ, "DBPROXY").ops.listen
    except SettingsError as error:
        raise CommandFailed(EXIT_OPERATOR_MISTAKE, f"{error}; or name the address with --ops") from error
    if not listen.path and not listen.port:
        raise CommandFailed(EXIT_OPERATOR_MISTAKE, "ops.listen has port 0; name the real address with --ops")
    if listen.host in ("0.0.0.0", "::"):
        return Address.of("127.0.0.1" if listen.host == "0.0.0.0" else "::1", listen.port)
    return listen


def _call(ops: Address, method: str, path: str, body: bytes | None = None) -> bytes:
    connection = _UnixConnection(ops.path) if ops.path else http.client.HTTPConnection(ops.host, ops.port, TIMEOUT_S)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise CommandFailed(EXIT_UNAVAILABLE, f"no ambassador answers at {ops}: {_told(error)}") from error
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise CommandFailed(EXIT_OPERATOR_MISTAKE, answer.decode("utf-8", "replace").strip())
    return answer


def _told(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _decoded(answer: bytes) -> Status:
    return msgspec.json.decode(answer, type=Status)


def _switch_text(done: SwitchAnswer) -> str:
    if done.old == done.new:
        return f"the environment is {done.new} already"
    leaving = "1 session ends at its" if done.leaving == 1 else f"{done.leaving} sessions end at their"
    return f"switched from {done.old} to {done.new}; {leaving} next quiet moment"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)
