"""Fills the directory that an image adds to its base: libraries from the lock, our packages, a bill of materials.

Runs in the builder stage of the Dockerfile with nothing but the standard library. Everything it writes depends only on
its input, so that two builds of one commit give the same layers.
"""

import compileall
import importlib.metadata
import json
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent
PACKAGES = {
    "logshipper": ("chassis", "logtail", "sidecar_logshipper"),
    "logformat": ("chassis", "logtail", "adapter_logformat"),
    "dbproxy": ("chassis", "ambassador_dbproxy"),
    "demo-app": ("podmates/__init__.py", "podmates/desk.py", "podmates/load.py", "podmates/sample_app"),
    "demo-database": (
        "podmates/__init__.py",
        "podmates/account.py",
        "podmates/postgres_binaries.py",
        "podmates/demo_database",
    ),
    "logserver": ("podmates/__init__.py", "podmates/log_server"),
}
# Sources of compiled modules, tests, and the half of zstandard that only PyPy uses.
NEVER_NEEDED = ("*.pyx", "*.pxd", "*.pxi", "*.pyi", "*.c", "*.h", "**/tests", "**/test", "zstandard/_cffi*.so")


def main(image: str, target: Path, wheels: str = "") -> None:
    """Fills `target` for one of PACKAGES. `wheels`: a directory that pip takes them from, instead of a network."""
    install(image, target, wheels)
    materials = bill_of_materials(image, target)
    for pattern in NEVER_NEEDED:
        for path in sorted(target.rglob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    shutil.rmtree(target / "bin", ignore_errors=True)  # commands of the libraries, each with this builder's path in it
    for library in sorted([*target.rglob("*.so"), *target.rglob("*.so.*")]):
        subprocess.run(["strip", "--strip-unneeded", library], check=True)
    for package in PACKAGES[image]:
        copy(SOURCE / package, target / package)
    shutil.copy(SOURCE / "LICENSE", target / "LICENSE")
    (target / "sbom.cdx.json").write_text(json.dumps(materials, indent=1, sort_keys=True) + "\n")
    # Checked by hash at build time only: no time stamp in it, and no look at the source at run time.
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(target, quiet=1, stripdir=target, invalidation_mode=unchecked, workers=1):
        sys.exit("some files do not compile")


def install(image: str, target: Path, wheels: str) -> None:
    """The libraries of the image's lock; pip refuses a file whose hash is not in it."""
    lock = SOURCE / "locks" / f"{image}.txt"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    options = ["--require-hashes", "--only-binary=:all:", "--no-compile", "--target", str(target), "-r", str(lock)]
    source = ["--no-index", f"--find-links={wheels}"] if wheels else []
    subprocess.run([*pip, *options, *source], check=True, cwd=SOURCE)


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def bill_of_materials(image: str, target: Path) -> dict[str, object]:
    """What is in the image beside its base, as CycloneDX 1.5."""
    found = sorted(importlib.metadata.distributions(path=[str(target)]), key=lambda each: each.name.lower())
    components = [
        {
            "type": "library",
            "name": each.name,
            "version": each.version,
            "purl": f"pkg:pypi/{each.name.lower().replace('_', '-')}@{each.version}",
        }
        for each in found
    ]
    subject = {"type": "container", "name": f"podmates/{image}"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": subject},
        "components": components,
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
