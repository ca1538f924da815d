"""Which files match, over real directories."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logtail.discovery import Discovery, Scan

Look = Callable[..., Scan]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def scan(*include: str, exclude: tuple[str, ...] = ()) -> Scan:
        return Discovery([f"{tmp_path}/{each}" for each in include], exclude).scan()

    return scan


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def names(scan: Scan, root: Path) -> list[str]:
    return sorted(find.path.removeprefix(f"{root}/") for find in scan.finds.values())


def test_globs(tmp_path: Path, look: Look) -> None:
    make(tmp_path, "a.log", "b.log", "b.txt", ".hidden.log", "x/c.log", "x/y/d.log", "x/y/.git/e.log")
    assert names(look("*.log"), tmp_path) == ["a.log", "b.log"]
    assert names(look("[b-z].log"), tmp_path) == ["b.log"]
    assert names(look("?.txt"), tmp_path) == ["b.txt"]
    assert names(look("*/*.log"), tmp_path) == ["x/c.log"]
    assert names(look("**/*.log"), tmp_path) == ["a.log", "b.log", "x/c.log", "x/y/d.log"]
    assert names(look("x/**"), tmp_path) == ["x/c.log", "x/y/d.log"]
    assert names(look(".*.log"), tmp_path) == [".hidden.log"]
    assert names(look("a.log"), tmp_path) == ["a.log"]


def test_excludes_name_files_or_paths(tmp_path: Path, look: Look) -> None:
    make(tmp_path, "a.log", "a.log.gz.tmp", "x/a.log")
    assert names(look("**/*", exclude=("*.gz.tmp",)), tmp_path) == ["a.log", "x/a.log"]
    assert names(look("**/*.log", exclude=(f"{tmp_path}/x/*",)), tmp_path) == ["a.log"]


def test_a_glob_that_matches_nothing_is_named(tmp_path: Path, look: Look) -> None:
    make(tmp_path, "a.log")
    assert look("*.log", "*.out", "no/such/dir/*.log").empty == [f"{tmp_path}/*.out", f"{tmp_path}/no/such/dir/*.log"]


def test_a_link_and_its_target_are_one_file_under_its_true_name(tmp_path: Path, look: Look) -> None:
    make(tmp_path, "pod/b.log")
    (tmp_path / "a.log").symlink_to(tmp_path / "pod/b.log")
    assert names(look("*.log"), tmp_path) == ["a.log"]
    assert names(look("*.log", "pod/*.log"), tmp_path) == ["pod/b.log"]


def test_a_circle_of_links_ends(tmp_path: Path, look: Look) -> None:
    make(tmp_path, "x/a.log")
    (tmp_path / "x/again").symlink_to(tmp_path / "x")
    assert names(look("**/*.log"), tmp_path) == ["x/a.log"]


def test_what_is_no_file_is_a_problem_not_a_find(tmp_path: Path, look: Look) -> None:
    (tmp_path / "dir.log").mkdir()
    os.mkfifo(tmp_path / "fifo.log")
    scan = look("*.log")
    assert scan.finds == {}
    assert scan.problems == {f"{tmp_path}/dir.log": "directory", f"{tmp_path}/fifo.log": "no_regular_file"}
    assert scan.empty == []


def test_the_directories_to_watch(tmp_path: Path) -> None:
    make(tmp_path, "x/y/a.log", "z/b.log")
    discovery = Discovery([f"{tmp_path}/**/*.log", f"{tmp_path}/z/b.log"], ())
    assert discovery.directories() == [str(tmp_path / each) for each in (".", "x", "x/y", "z")]


def test_a_link_that_leads_nowhere_is_a_problem_and_its_glob_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "app.log").symlink_to(tmp_path / "nowhere")
    scan = Discovery([f"{tmp_path}/*.log"], []).scan()
    assert (scan.finds, scan.problems, scan.empty) == ({}, {f"{tmp_path}/app.log": "dangling_link"}, [])
