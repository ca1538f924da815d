"""Runs drivers' own test suites straight to a server and through the ambassador, and prints what differs.

`make suites`, or `python tests/ambassador_dbproxy/suites psycopg2 asyncpg`. Sources and drivers come from the package
index once and are kept under build/suites. The exit status is 1 when a test comes out differently, or the ambassador
logs a bug.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import places
from catalogue import SUITES, Place, Suite

ROOT = Path(__file__).parents[3]
TEST_S, SUITE_S = 60, 3000
TRIES = 3
"""A test that comes out differently is run again alone, so that what hangs on chance is not counted."""
Outcomes = dict[str, str]


class Workplace:
    """One suite's sources and the environment that it runs in."""

    def __init__(self, name: str, suite: Suite, build: Path) -> None:
        self.name, self.suite = name, suite
        self._folder = build / name
        self._python = self._folder / "venv/bin/python"
        self.version = ""
        self.bugs = 0  # of the ambassador; no run without one takes it back

    def prepare(self) -> None:
        """Fetch what is not there yet."""
        suite = self.suite
        exact = f"{suite.package}=={suite.tests_of}" if suite.tests_of else suite.package
        if not self._python.exists():
            _run(sys.executable, "-m", "venv", str(self._folder / "venv"))
            wanted = ["pytest", "pytest-asyncio", "pytest-timeout", *suite.requires]
            # A driver that is required in binary form needs no compiler for its own.
            wanted += [] if f"{suite.package}-binary" in suite.requires else [exact]
            _run(str(self._python), "-m", "pip", "install", "--quiet", *wanted)
        sources = self._folder / "sources"
        if not sources.exists():
            _run(str(self._python), "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", suite.package,
                 "--dest", str(sources), exact)  # fmt: skip
        archive = next(each for each in sources.iterdir() if each.name.endswith(".tar.gz"))
        self.version = archive.name.removesuffix(".tar.gz").rpartition("-")[2]

    def run(self, way: str, only: Sequence[str] = ()) -> Outcomes:
        """What becomes of each test in this way. `only`: of these alone."""
        tree = self._unpack()
        with places.place(self.suite.protocol, way) as (place, ambassador):
            outcomes = self._pytest(tree, place, only)
            if ambassador is not None:
                for bug in (each for each in ambassador.events if each["event"] == "bug"):
                    print(f"    a bug of the ambassador: {bug}", flush=True)
                    self.bugs += 1
            return outcomes

    def _unpack(self) -> Path:
        tree = self._folder / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        archive = next((self._folder / "sources").glob("*.tar.gz"))
        with tarfile.open(archive) as tar:
            tar.extractall(tree, filter="data")
        (top,) = tree.iterdir()
        for each in self.suite.without:
            shutil.rmtree(top / each)
        return top

    def _pytest(self, tree: Path, place: Place, only: Sequence[str]) -> Outcomes:
        for name, content in self.suite.files(place).items():
            (tree / name).write_text(content)
        report = self._folder / "report.xml"
        report.unlink(missing_ok=True)
        arguments = list(self.suite.arguments(place))
        chosen = self._folder / "chosen.py"
        chosen.write_text(_CHOOSE.format(only=sorted(only)) if only else "")
        with (self._folder / "log").open("w") as log:
            done = subprocess.run(
                [str(self._python), "-m", "pytest", "-p", "chosen", "-p", "no:cacheprovider", "-q",
                 f"--timeout={TEST_S}", f"--junitxml={report}", "-o", "junit_family=xunit1", *arguments],
                cwd=tree,
                env={**os.environ, "PYTHONPATH": str(self._folder), **self.suite.environment(place)},
                stdout=log,
                stderr=log,
                timeout=SUITE_S,
                check=False,
            )  # fmt: skip
        if done.returncode not in (0, 1):
            raise SystemExit(f"{self.name} did not run; see {self._folder / 'log'}")
        return _read(report)


_CHOOSE = '''"""Leaves only the tests that are to be run again."""
ONLY = set({only!r})


def pytest_collection_modifyitems(config, items):
    items[:] = [item for item in items if _name(item) in ONLY]


def _name(item):
    path, _, rest = item.nodeid.partition("::")
    parts = [path.removesuffix(".py").replace("/", "."), *rest.split("[")[0].split("::")]
    return ".".join(parts) + ("[" + rest.partition("[")[2] if "[" in rest else "")
'''


def _read(report: Path) -> Outcomes:
    """Test → passed, failed or skipped; a test that breaks while it is taken down has failed."""
    outcomes: Outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        if outcomes.get(name) != "failed":
            outcomes[name] = outcome
    return outcomes


def _differences(direct: Outcomes, through: Outcomes) -> list[str]:
    return sorted(name for name in direct.keys() | through.keys() if direct.get(name) != through.get(name))


def compare(work: Workplace, ways: Iterable[str]) -> bool:
    """Run the suite in every way; True if all of them are alike and the ambassador had no bug in any."""
    direct = work.run("direct")
    print(f"{work.name} {work.version}: {_counts(direct)}", flush=True)
    alike = True
    for way in ways:
        through = work.run(way)
        differing = _differences(direct, through)
        print(f"  {way}: {_counts(through)}; {len(differing)} differ at first", flush=True)
        for _ in range(TRIES):
            if not differing:
                break
            again, others = work.run("direct", differing), work.run(way, differing)
            differing = [name for name in differing if again.get(name) != others.get(name)]
        for name in differing:
            print(f"    {name}: {direct.get(name)} directly, {through.get(name)} through the ambassador", flush=True)
        alike = alike and not differing
    return alike and not work.bugs


def _counts(outcomes: Outcomes) -> str:
    found = list(outcomes.values())
    return ", ".join(f"{found.count(each)} {each}" for each in ("passed", "failed", "skipped"))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", help=f"of {', '.join(SUITES)}; all by default")
    parser.add_argument("--way", action="append", choices=places.WAYS[1:], help="through the ambassador, in this way")
    parser.add_argument("--build", type=Path, default=ROOT / "build/suites")
    chosen = parser.parse_args()
    unknown = set(chosen.suites) - set(SUITES)
    if unknown:
        parser.error(f"no such suite: {', '.join(sorted(unknown))}")
    alike = True
    for name in chosen.suites or SUITES:
        work = Workplace(name, SUITES[name], chosen.build)
        work.prepare()
        alike = compare(work, chosen.way or places.WAYS[1:]) and alike
    return 0 if alike else 1


if __name__ == "__main__":
    sys.exit(main())
