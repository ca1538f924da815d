"""A small world for the shipper: files that live and rotate, a log server with moods, and a model of what must arrive.

The files, the shipper and the HTTP server are real. The model holds what each complete line's fate must be: arrived,
in the dead-letter file, or, where the promise ends, possibly gone. `test_model` and `test_soak` move this world.
"""

import contextlib
import gzip
import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from podmates.ports import free_port

from .balance import imbalance

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 120
UNSEEN_AFTER_S = 2
DRAINS_FOR_S = 2
POISON = b"poison"


class MoodyServer:
    """Takes raw lines by POST. `mood`: ok, slow, 429, 500 or down; a body with POISON is refused in any case."""

    def __init__(self) -> None:
        self.mood = "ok"
        self.arrivals: list[tuple[int, bytes]] = []
        """Each line with the life of the shipper that sent it; what a killed one had sent may be read after its end."""
        self.arrived: Counter[bytes] = Counter()
        self.changed = threading.Condition()
        self._port = free_port(random.Random())
        self._server: http.server.ThreadingHTTPServer | None = None
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/in"

    def up(self) -> None:
        moody = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = moody.take(body, int(self.headers["X-Life"]))
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A killed shipper leaves its connections in the middle of a request."""

        self._server = Server(("127.0.0.1", self._port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        """Nobody listens, and requests under way get no answer."""
        self.mood = "down"
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def set_mood(self, mood: str) -> None:
        if mood == "down":
            self.down()
            return
        self.mood = mood
        if self._server is None:
            self.up()

    def take(self, body: bytes, life: int) -> int:
        mood = self.mood
        if mood == "down":
            return 0
        if mood in ("429", "500"):
            return int(mood)
        if mood == "slow":
            time.sleep(0.05)
        if POISON in body:
            return 400
        with self.changed:
            for line in body.splitlines():
                self.arrivals.append((life, line))
                self.arrived[line] += 1
            self.changed.notify_all()
        return 200


class LogFile:
    """One file's life as its writer sees it: the writer keeps its descriptor over renames."""

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        self.file = path.open("ab", buffering=0)
        self.half = b""
        """The beginning of a line whose rest is still to come."""
        self.lines: list[bytes] = []
        self.seen = False
        """The shipper is known to follow this content."""
        self.remembered = False
        """Some of this content is acknowledged in a checkpoint, by which its copy can be told."""


class World:
    def __init__(self, root: Path, *, covers_rotated: bool, batch: str = "8KiB", in_flight: int = 2) -> None:
        """`covers_rotated`: the glob matches rotated names too."""
        self.root = root
        self.logs = root / "log"
        self.logs.mkdir(parents=True)
        self.covers_rotated = covers_rotated
        self.server = MoodyServer()
        self.window = in_flight * int(batch.removesuffix("KiB")) * 1024
        self.files: dict[str, LogFile] = {}
        self.rotated: list[LogFile] = []
        self.unlinked: list[LogFile] = []
        self.must: set[bytes] = set()
        self.may: set[bytes] = set()
        self.poisoned: set[bytes] = set()
        self._held: set[bytes] = set()
        """Those that may be gone, unless this life of the shipper has read them."""
        self.kills = 0
        self._number = 0
        self._rotation = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr = root / "stderr"
        self._starts = 0
        self._ops = ""
        include = [f"{self.logs}/*.log*"] if covers_rotated else [f"{self.logs}/*.log"]
        sink = {"url": self.server.url, "encoding": "raw", "batch": {"max_bytes": batch}, "in_flight": in_flight}
        self.settings: dict[str, Any] = {
            "files": {"include": include},
            "sink": sink | {"retry": {"initial": "5ms", "max": "30ms"}},
            "state_dir": f"{root}/state",
            "drain": {"quiet": "0s", "deadline": f"{PATIENCE_S}s"},
            "ops": {"listen": "127.0.0.1:0"},
        }

    # ---- the shipper

    @property
    def is_up(self) -> bool:
        return self._process is not None

    def events(self, name: str) -> list[dict[str, Any]]:
        """Those of the shipper's present or last life."""
        lines = self._stderr.read_bytes().splitlines(keepends=True) if self._stderr.exists() else []
        return [event for line in lines if line.endswith(b"\n") and (event := json.loads(line))["event"] == name]

    def start(self) -> None:
        self._starts += 1
        self._held.clear()
        config = self.root / "logshipper.yaml"
        sink = self.settings["sink"] | {"headers": {"X-Life": str(self._starts)}}
        config.write_text(json.dumps(self.settings | {"sink": sink}))
        command = [sys.executable, "-m", "sidecar_logshipper", "--config", str(config)]
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(command, cwd=ROOT, stderr=stderr)
        self.wait_until(lambda: bool(self.events("ready")), "ready")
        self._ops = self.events("ready")[0]["ops"]
        for file in list(self.files.values()):  # another thread may write and rotate
            file.seen = True

    def kill(self) -> None:
        assert self._process is not None
        process, self._process = self._process, None  # from now on nobody waits for what it does
        process.kill()
        process.wait()
        self.kills += 1
        self._give_up_unlinked()

    def stop(self) -> int:
        """SIGTERM; the exit status. Halves of lines are shipped as lines then, so the model cuts them too."""
        assert self._process is not None
        if self.is_calm:
            for file in self.everywhere():
                if file.half:
                    self._expect(file, file.half)
                    file.half = b""
        else:
            self.complete_halves()
        self._process.send_signal(signal.SIGTERM)
        calm = self.is_calm
        status = self._ended(insisting=not calm)
        for file in self.everywhere():
            file.remembered |= calm and bool(file.lines)
        self._process = None
        self._give_up_unlinked()
        return status

    def _ended(self, *, insisting: bool) -> int:
        """The exit status. A drain that may wait for its sink in vain is ended after a while, as by Ctrl-C."""
        assert self._process is not None
        if insisting:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(DRAINS_FOR_S)
            self._process.send_signal(signal.SIGINT)
        return self._process.wait(2 * PATIENCE_S)

    @property
    def is_calm(self) -> bool:
        """Everything can be shipped now. A sink that has refused all it was sent is not believed, and waited for."""
        return self.server.mood == "ok" and not (self.poisoned | self._held) - self.dead()

    def _give_up_unlinked(self) -> None:
        """Without a descriptor nothing leads to them any more."""
        for file in self.unlinked:
            self._may_be_gone(file)
            file.file.close()
        self.unlinked.clear()

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://{self._ops}/metrics", timeout=PATIENCE_S) as response:
            lines = response.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def check_ledger(self) -> None:
        if self.is_up:
            assert imbalance(self.metrics()) == {}

    # ---- the files

    def everywhere(self) -> list[LogFile]:
        return [*self.files.values(), *self.rotated, *self.unlinked]

    def file(self, name: str) -> LogFile:
        """The file of this name; created, and found by the shipper if that is up, when there is none."""
        if name not in self.files:
            self._put(name, LogFile(self.logs / name))
        return self.files[name]

    def _put(self, name: str, file: LogFile) -> None:
        self.files[name] = file
        if self.is_up:
            path = str(self.logs / name)
            inode = os.fstat(file.file.fileno()).st_ino
            self.wait_until(lambda: self._is_followed(path, inode), f"{path} to be found")
            file.seen = True

    def _is_followed(self, path: str, inode: int) -> bool:
        return any(e["path"] == path and e["generation"].startswith(f"{inode:x}-") for e in self.events("file_found"))

    def write(self, file: LogFile, count: int, *, poison: bool = False) -> None:
        for _ in range(count):
            self._number += 1
            word = POISON if poison else b"x" * (self._number % 90)
            line = b"%08d:%s:%08d" % (self._number, word, self._number)
            file.file.write(line + b"\n")
            whole, file.half = file.half + line, b""
            self._expect(file, whole)

    def write_half(self, file: LogFile) -> None:
        self._number += 1
        half = b"%08d:half" % self._number
        file.file.write(half)
        file.half += half

    def complete_halves(self) -> None:
        for file in self.everywhere():
            if file.half:
                self.write(file, 1)

    def _expect(self, file: LogFile, line: bytes) -> None:
        file.lines.append(line)
        (self.poisoned if POISON in line else self.must).add(line)

    def _next_name(self, name: str) -> Path:
        self._rotation += 1
        return self.logs / f"{name}.{self._rotation}"

    def rename(self, name: str, *, times: int = 1) -> None:
        """Rotate by rename and create, `times` times in a row; only what the shipper knows, or will match, is safe."""
        for _ in range(times):
            file = self.file(name)
            if not (file.seen or self.covers_rotated):
                return
            target = self._next_name(name)
            os.rename(self.logs / name, target)
            file.path = target
            self.rotated.append(self.files.pop(name))
            self.file(name)

    def copytruncate(self, name: str, *, regrow: bool) -> None:
        file = self.file(name)
        if not file.seen or not (self.is_up or file.remembered):
            return
        if file.half:
            self.write(file, 1)
        old = LogFile(self._next_name(name))
        assert old.path is not None
        truncations = len(self.events("file_truncated"))
        size = os.fstat(file.file.fileno()).st_size
        shutil.copyfile(self.logs / name, old.path)
        os.ftruncate(file.file.fileno(), 0)
        old.lines, file.lines = file.lines, []
        is_known = not self.is_up or self._has_read_of(old)
        if not is_known and not self.covers_rotated:
            self._may_be_gone(old)
        self.rotated.append(old)
        file.seen = file.remembered = False
        while regrow and os.fstat(file.file.fileno()).st_size <= size:
            self.write(file, 20)
        if self.is_up and size:
            self._wait_for_truncation(old, file, truncations, is_known=is_known)
            file.seen = len(self.events("file_truncated")) > truncations

    def _has_read_of(self, file: LogFile) -> bool:
        """By the shipper's present life, as far as the server can tell: only by that it knows a copy."""
        lines = set(file.lines)
        return any(life == self._starts and line in lines for life, line in self.server.arrivals)

    def _may_be_gone(self, file: LogFile) -> None:
        lost = set(file.lines) - self.server.arrived.keys()
        self.must -= lost
        if self.is_up:
            self._held |= lost & self.poisoned
        self.poisoned -= lost - self.dead()
        self.may |= lost

    def _wait_for_truncation(self, old: LogFile, file: LogFile, truncations: int, *, is_known: bool) -> None:
        """Of a file of which nothing was read there may be nothing to see."""

        def is_over() -> bool:
            return len(self.events("file_truncated")) > truncations or self._took_all(old, file)

        if is_known:
            self.wait_until(is_over, "the truncation to be seen")
            return
        deadline = time.monotonic() + UNSEEN_AFTER_S
        self.wait_until(lambda: is_over() or time.monotonic() > deadline, "the truncation to be seen")

    def _took_all(self, *files: LogFile) -> bool:
        """Then the truncation came before the shipper had read anything, and there was nothing to see."""
        return not any(set(file.lines) & self.must - self.server.arrived.keys() for file in files)

    def delete(self, name: str) -> None:
        """Its writer goes too. What a shipper that is down has not shipped may be gone."""
        file = self.files.pop(name)
        if file.half:
            self.write(file, 1)
        os.unlink(self.logs / name)
        file.path = None
        self.unlinked.append(file)
        if not (self.is_up and file.seen):
            self._give_up_unlinked()

    def retarget(self, name: str) -> None:
        """A link that leads to a file elsewhere is led to a new one; the old one's writer goes on for a while."""
        old = self.files.get(name)
        if old is not None and not old.seen:
            return
        elsewhere = self.root / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        target = elsewhere / self._next_name(name).name
        new = LogFile(target)
        link = self.root / "new-link"
        link.symlink_to(target)
        link.rename(self.logs / name)
        if old is not None:
            self.rotated.append(self.files.pop(name))
        self._put(name, new)

    def gzip_one(self) -> None:
        """Compress a rotated file of which everything has arrived."""
        for file in self.rotated:
            path = file.path
            if path is None or path.suffix == ".gz" or file.half or path.parent != self.logs:
                continue
            if set(file.lines) - self.server.arrived.keys() - self.dead():
                continue
            packed = path.with_name(path.name + ".gz")
            packed.write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
            file.path = None
            file.file.close()
            self.rotated.remove(file)
            return

    # ---- the reckoning

    def wait_until(self, met: Any, what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not met():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {what}; {self.state()}")
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(f"the shipper ended while waiting for {what}; {self.state()}")
            with self.server.changed:
                self.server.changed.wait(0.01)

    def state(self) -> str:
        missing = sorted(self.must - self.server.arrived.keys())
        tail = self._stderr.read_text()[-6000:] if self._stderr.exists() else ""
        return f"{len(missing)} lines missing, as {missing[:5]}; the shipper said:\n{tail}"

    def settle(self) -> None:
        """Everything is well again: what must arrive arrives, the refused lies in the dead-letter file."""
        self.server.set_mood("ok")
        if not self.is_up:
            self.start()
        self.complete_halves()
        # Until a sink has accepted something, what it refuses is held: it may be set up wrongly.
        for name in list(self.files) or ["a.log"]:
            self.write(self.file(name), 1)
        self.wait_until(lambda: self.must <= self.server.arrived.keys(), "all lines to arrive")
        self.wait_until(lambda: self.poisoned <= self.dead(), "the refused lines to be dead-lettered")
        unknown = self.server.arrived.keys() - self.must - self.may
        assert not unknown, f"arrived, but never written: {sorted(unknown)[:5]}"
        self.check_ledger()

    def dead(self) -> set[bytes]:
        path = self.root / "state/dead.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return {json.loads(line)["line"].encode() for line in lines}

    def lost(self) -> set[bytes]:
        return self.must - self.server.arrived.keys()

    def repeated_bytes(self) -> dict[int, int]:
        """By the shipper's life: bytes that arrived from it, and again from a later one (or again from itself)."""
        lives: dict[bytes, list[int]] = {}
        for life, line in self.server.arrivals:
            lives.setdefault(line, []).append(life)
        repeated: Counter[int] = Counter()
        for line, senders in lives.items():
            for life in sorted(senders)[:-1]:
                repeated[life] += len(line) + 1
        return dict(repeated)

    def out_of_order(self) -> list[str]:
        """Within each file, the lines that arrived first after a later one."""
        place = {line: at for at, (_, line) in reversed(list(enumerate(self.server.arrivals)))}
        wrong = []
        for file in self.everywhere():
            places = [place[line] for line in file.lines if line in place]
            if places != sorted(places):
                wrong.append(str(file.path))
        return wrong

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self.server.mood != "down":
            self.server.down()
        for file in self.everywhere():
            file.file.close()
