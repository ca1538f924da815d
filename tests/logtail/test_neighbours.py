"""A file that cannot be read is its own misfortune: what lies beside it is followed, recognised and ended as ever."""

# ruff: noqa: ASYNC240 (the files are local and small)

import gzip
import os
import random
from pathlib import Path

import pytest

from .conftest import Follow, append

TEXT = b"".join(b"line %d %d\n" % (n, random.Random(n).getrandbits(200)) for n in range(20_000))


def damaged(at: int) -> bytes:
    raw = bytearray(gzip.compress(TEXT))
    raw[at : at + 50] = b"\xff" * 50
    return bytes(raw)


@pytest.mark.parametrize("name", ["app.log.1.gz", "app.log.2.gz"])
async def test_case_03_truncated_beside_a_damaged_copy(follow: Follow, log: Path, name: str) -> None:
    log.with_name(name).write_bytes(damaged(12))
    log.write_bytes(b"one\ntwo\n")
    tail = await follow()
    assert await tail.lines(2) == [b"one", b"two"]
    log.with_name("app.log.1").write_bytes(b"one\ntwo\nthree\n")
    os.truncate(log, 0)
    append(log, b"four\n")
    assert sorted(await tail.lines(2)) == [b"four", b"three"]
    assert tail.tail.stats().truncations == 1


@pytest.mark.parametrize("kept", [True, False], ids=["truncated", "gone"])
async def test_case_03_truncated_while_away_beside_a_damaged_copy(follow: Follow, log: Path, kept: bool) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow()
    assert await tail.lines(2) == [b"one", b"two"]
    await tail.tail.close()
    log.with_name("app.log.2.gz").write_bytes(damaged(12))
    log.with_name("app.log.1").write_bytes(b"one\ntwo\nthree\n")
    if kept:
        log.write_bytes(b"four\n")
    else:
        log.unlink()
    tail = await follow()
    assert sorted(await tail.lines(1 + kept)) == ([b"four", b"three"] if kept else [b"three"])
