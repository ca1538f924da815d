"""Compressed and UTF-16 files read like plain ones, and a compressed rotation is not taken for a new file."""

# ruff: noqa: ASYNC240 (the files are local and small)

import errno
import gzip
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from logtail.compressions import Compressions
from logtail.decoded import Decoded, Gunzip, Opener, Undecodable
from logtail.identity import FRONTIER_BYTES, HEAD_BYTES, Identity, Mark
from logtail.memory import entry
from logtail.opened import Opened
from logtail.roll import Roll

from .conftest import ByHand, Follow, append, reuse_inode
from .test_opened import held

TEXT = b"".join(b"line %d %d\n" % (n, random.Random(n).getrandbits(200)) for n in range(20_000))


@pytest.mark.parametrize(
    "raw",
    [
        gzip.compress(TEXT),
        gzip.compress(TEXT[:70_000]) + gzip.compress(TEXT[70_000:]),
        gzip.compress(TEXT) + bytes(512),
        TEXT.decode().encode("utf-16"),
        "\ufeff".encode("utf-16-be") + TEXT.decode().encode("utf-16-be"),
        TEXT,
    ],
    ids=["gzip", "two members", "padded", "little-endian", "big-endian", "plain"],
)
def test_content_at_any_offset(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(raw)
    file = Opener(8).open(str(path))
    chance = random.Random(1)
    for start in (0, 1, *(chance.randrange(len(TEXT)) for _ in range(20)), len(TEXT) - 10, len(TEXT) + 5):
        assert file.pread(1000, start) == TEXT[start : start + 1000]
    assert file.extent(len(raw)) == len(TEXT)
    file.close()


def test_zeros_that_compress_a_thousandfold_take_no_memory(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    raw = b"".join(packer.compress(bytes(1_000_000)) for _ in range(50)) + packer.flush()
    (tmp_path / "file").write_bytes(raw)
    file = Opener(8).open(str(tmp_path / "file"))
    assert isinstance(file, Decoded)
    assert file.pread(10, 49_999_995) == bytes(5)
    assert len(file._window) < 1_000_000
    file.close()


def test_damage_is_said_with_what_came_before_it() -> None:
    raw = bytearray(gzip.compress(TEXT))
    raw[5000:5010] = b"damage...."
    with pytest.raises(Undecodable) as said:
        Gunzip().feed(bytes(raw))
    assert TEXT[:5000] in said.value.decoded


def test_the_checksum_at_the_end_keeps_nothing_back() -> None:
    raw = bytearray(gzip.compress(TEXT[:100_000]))
    raw[-8] ^= 1
    with pytest.raises(Undecodable) as said:
        Gunzip().feed(bytes(raw))
    assert said.value.decoded == TEXT[:100_000]


async def test_a_damaged_file_is_read_as_far_as_it_goes_and_said_once(follow: Follow, log: Path) -> None:
    packed = log.with_name("app.log.gz")
    raw = bytearray(gzip.compress(TEXT + b"half a line"))
    raw[-8] ^= 1
    packed.write_bytes(raw)
    tail = await follow("*.gz")
    assert b"".join(line + b"\n" for line in await tail.lines(20_000)) == TEXT
    told = await tail.event("file_not_followed")
    assert told == {"path": str(packed), "reason": "damaged", "why": "damaged gzip"}
    packed.touch()
    assert [chunk.data for chunk in await tail.drained()] == [b"half a line"]
    assert len(tail.events.of("file_not_followed")) == 1
    await tail.tail.close()
    tail = await follow("*.gz")
    assert [chunk.data for chunk in await tail.drained()] == [b""], "what was read stays read"


async def test_a_file_that_is_damaged_at_once_is_said(follow: Follow, log: Path) -> None:
    log.write_bytes(gzip.compress(b"one\n")[:10] + b"\xff" * 100)
    tail = await follow()
    assert tail.events.of("file_not_followed")[0]["reason"] == "damaged"
    assert await tail.drained() == []


@pytest.mark.parametrize("encode", [gzip.compress, lambda text: text.decode().encode("utf-16")], ids=["gzip", "utf-16"])
@pytest.mark.parametrize("alike", ["its beginning", "its end", "neither"])
def test_written_anew_past_what_was_read_is_seen(tmp_path: Path, encode: Callable[[bytes], bytes], alike: str) -> None:
    """What was decoded is kept, so the bytes in the file must tell, at both ends of what was read of them."""
    path = tmp_path / "file"
    raw = encode(TEXT[:1000])
    path.write_bytes(raw)
    file = Opener(8).open(str(path))
    assert file.pread(2000, 0) == TEXT[:1000]
    kept = raw[:300] if alike == "its beginning" else b"x" * 300
    end = raw[300:] if alike == "its end" else b"y" * (len(raw) - 300)
    path.write_bytes(kept + end + encode(TEXT))
    if alike != "its end":
        assert file.pread(2000, 900) == TEXT[900:1000], "nothing of the new content passes for more of the old"
    assert file.extent(path.stat().st_size) == 0
    path.write_bytes(raw + raw)
    assert file.extent(path.stat().st_size) >= 1000, "a network file system may show what is old for a moment"
    file.close()


async def test_case_03_utf16_truncated_and_regrown_past_the_offset(follow: Follow, log: Path) -> None:
    log.write_bytes("one\ntwo\n".encode("utf-16"))
    tail = await follow()
    assert await tail.lines(2) == [b"one", b"two"]
    log.write_bytes("three\nfour\nfive\n".encode("utf-16"))
    assert await tail.lines(3) == [b"three", b"four", b"five"]
    assert len(tail.events.of("file_truncated")) == 1


async def test_a_utf16_file_that_is_truncated_and_deleted_at_once_is_gone_and_holds_up_no_end(
    follow: Follow, log: Path
) -> None:
    log.write_bytes("one\ntwo\n".encode("utf-16"))
    tail = await follow()
    assert await tail.lines(2) == [b"one", b"two"]
    log.write_bytes("x\n".encode("utf-16"))
    log.unlink()
    assert (await tail.event("file_gone"))["path"] == str(log)
    assert [chunk.data for chunk in await tail.drained() if chunk.data] == []


async def test_case_11_gzip_of_a_shipped_file_is_not_shipped_again(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = await follow("app.log*")
    assert await tail.lines(2) == [b"one", b"two"]
    log.with_name("app.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    log.write_bytes(b"three\n")
    assert await tail.lines(1) == [b"three"]
    assert (await tail.event("compression_left_alone"))["original"] == str(log)
    await tail.tail.close()
    log.with_name("app.log.1.gz").rename(log.with_name("app.log.2.gz"))
    tail = await follow("app.log*")
    append(log, b"four\n")
    assert await tail.lines(1) == [b"four"]
    assert [chunk.data for chunk in await tail.drained() if chunk.data] == []


async def test_case_11_gzip_made_while_away_is_read_on_where_the_plain_file_ended(follow: Follow, log: Path) -> None:
    log.write_bytes(b"one\n")
    tail = await follow("app.log*")
    first = await tail.chunk()
    await tail.tail.close()
    log.with_name("app.log.1.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    log.unlink()
    tail = await follow("app.log*")
    rest = await tail.chunk()
    assert (rest.start, rest.data, rest.source) == (4, b"two\n", first.source)
    await tail.tail.close()
    tail = await follow("app.log*")
    assert [chunk.data for chunk in await tail.drained() if chunk.data] == []


async def test_case_11_gzip_made_while_away_is_known_though_another_file_has_the_originals_inode(
    follow: Follow, log: Path, tmp_path: Path
) -> None:
    log.write_bytes(b"one\n")
    tail = await follow("*.log*")
    first = await tail.chunk()
    await tail.tail.close()
    log.with_name("app.log.1.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    log.unlink()
    log.with_name("new.log").write_bytes(b"three\n")
    reuse_inode(tmp_path / "state/tail.json", log, log.with_name("new.log"))
    tail = await follow("*.log*")
    chunks = {chunk.source: chunk.data for chunk in [await tail.chunk(), await tail.chunk()]}
    assert chunks.pop(first.source) == b"two\n"
    assert list(chunks.values()) == [b"three\n"]
    await tail.tail.close()
    tail = await follow("*.log*")
    assert [chunk.data for chunk in await tail.drained() if chunk.data] == []


def test_case_11_the_original_is_found_among_many_in_one_pass(tmp_path: Path) -> None:
    """Going back in a compressed file means to decode it anew, and hundreds of files may be remembered."""
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(TEXT))
    file, read = Opener(8).open(str(tmp_path / "app.log.1.gz")), list[int]()
    pread = file.pread
    file.pread = lambda length, offset: (read.append(offset), pread(length, offset))[1]  # type: ignore[method-assign]
    roll = Roll()
    for number, offset in enumerate([600_000, 300_000, 900_000, 500_000]):
        text = TEXT if number != 2 else b"else" + TEXT
        known = Identity(
            1, number, "app.log", offset, Mark.of(text[:HEAD_BYTES]), Mark.of(text[offset - FRONTIER_BYTES : offset])
        )
        roll.memory.keep(entry(known, str(number), "app.log", "", finished=True))
    found = Compressions(roll).remembered_original(file, "app.log.1.gz")
    assert found is not None
    assert found.offset == 600_000
    assert [offset for offset in read if offset] == [end - FRONTIER_BYTES for end in (300_000, 500_000, 600_000)]
    file.close()


async def test_case_11_an_unknown_gzip_file_is_read_decompressed(follow: Follow, log: Path) -> None:
    log.write_bytes(b"started\n")
    log.with_name("app.log.1.gz").write_bytes(gzip.compress(b"started\nold one\nold two\n"))
    tail = await follow("app.log*")
    assert sorted(await tail.lines(4)) == [b"old one", b"old two", b"started", b"started"]


async def test_what_is_left_of_a_compressed_file_is_known_at_its_end(follow: Follow, log: Path) -> None:
    log.with_name("empty.log.gz").write_bytes(gzip.compress(b""))
    log.with_name("full.log.gz").write_bytes(gzip.compress(TEXT))
    tail = await follow("*.gz", chunk_bytes=65536)
    assert b"".join(chunk.data for chunk in await tail.drained()) == TEXT
    assert tail.tail.stats().lag_bytes == 0


async def test_utf16_is_recognised_by_its_mark_and_goes_on_after_a_restart(follow: Follow, log: Path) -> None:
    log.write_bytes("eins\nzwei é 漢\ndr".encode("utf-16"))
    tail = await follow()
    assert await tail.lines(2) == [b"eins", "zwei é 漢".encode()]
    await tail.tail.close()
    append(log, "ei\n".encode("utf-16-le"))
    tail = await follow()
    assert await tail.lines(1) == [b"drei"]


@pytest.mark.parametrize("first", [b"", b"\x1f"], ids=["empty", "one byte"])
async def test_a_file_that_is_compressed_into_while_it_is_opened_is_no_plain_one(
    follow: Follow, log: Path, first: bytes
) -> None:
    opener, raw = Opener(8), gzip.compress(b"one\n")
    log.write_bytes(first)

    def open_file(path: str) -> Opened:
        file = opener.open(path)
        log.write_bytes(raw)
        return file

    tail = await follow(open_file=open_file)
    assert await tail.lines(1) == [b"one"]
    assert b"".join(chunk.data for chunk in await tail.drained()) == b""


async def test_a_file_that_was_empty_first_is_recognised_by_what_comes(follow: Follow, log: Path) -> None:
    log.write_bytes(b"")
    tail = await follow()
    append(log, b"\xff")
    append(log, "\ufeffone\n".encode("utf-16-le")[1:])
    assert await tail.lines(1) == [b"one"]


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.rename(path.with_name("elsewhere"))])
@pytest.mark.parametrize("content", [b"", b"one\ntwo\n"], ids=["nothing", "lines"])
async def test_a_file_that_was_empty_first_is_recognised_though_it_has_lost_its_name(
    follow: Follow, log: Path, lose: Callable[[Path], None], content: bytes
) -> None:
    log.write_bytes(b"")
    tail = await follow()
    await tail.look()
    log.write_bytes(gzip.compress(content))
    lose(log)
    assert b"".join(chunk.data for chunk in await tail.drained()) == content
    assert tail.tail.stats().lag_bytes == 0
    assert len(tail.events.of("file_rotated")) == 1


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.rename(path.with_name("elsewhere"))])
async def test_a_file_that_was_empty_first_and_is_damaged_without_a_name_is_said_and_let_go(
    follow: Follow, log: Path, lose: Callable[[Path], None]
) -> None:
    log.write_bytes(b"")
    tail = await follow()
    await tail.look()
    log.write_bytes(b"\x1f\x8b\x08 no text")
    lose(log)
    assert await tail.drained() == []
    assert [each["reason"] for each in tail.events.of("file_not_followed")] == ["damaged"]
    assert held(log.parent) == []


def test_an_error_while_a_file_without_a_name_is_recognised_leaves_it_to_the_next_look(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.parent.mkdir()
    log.write_bytes(b"")
    tail = ByHand(log)
    errors = [errno.EIO]

    def is_of_open_file(*_: object) -> bool:
        if errors:
            raise OSError(errors.pop(), "Input/output error")
        return False

    monkeypatch.setattr(Compressions, "is_of_open_file", is_of_open_file)
    assert tail.chunk() == b""
    log.write_bytes(gzip.compress(b"one\n"))
    log.unlink()
    assert [tail.chunk(), tail.chunk()] == [b"", b"one\n"]
    assert len(held(log.parent)) == 1
    tail.follower.close()
    assert held(log.parent) == []


def test_a_file_without_a_name_that_is_compressed_into_after_the_look_is_no_plain_one(log: Path) -> None:
    log.parent.mkdir()
    log.write_bytes(b"")
    tail = ByHand(log)
    moved = log.rename(log.with_name("elsewhere"))
    moved.write_bytes(b"\x1f")
    tail.follower.look()
    moved.write_bytes(gzip.compress(b"one\n", mtime=ord("\n")))
    assert [tail.chunk(), tail.chunk()] == [b"one\n", b""]
    tail.follower.close()
