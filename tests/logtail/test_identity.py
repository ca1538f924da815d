"""Who is who, as a transcript: device, inode, head and frontier of a remembered file against one seen now."""

import pytest

from logtail.identity import FRONTIER_BYTES, Identity, Mark, Sighting, Verdict, extend, recognise

CONTENT = b"first line\nsecond line\n"
KNOWN = Identity(
    device=1,
    inode=7,
    path="/log/app.log",
    offset=len(CONTENT),
    head=Mark.of(CONTENT),
    frontier=Mark.of(b"second line\n"),
)


def seen(content: bytes, *, device: int = 1, inode: int = 7, path: str = "/log/app.log") -> Sighting:
    before = KNOWN.offset - KNOWN.frontier.length
    return Sighting(device, inode, path, content[: KNOWN.head.length], content[before : KNOWN.offset])


@pytest.mark.parametrize(
    ("sighting", "verdict"),
    [
        pytest.param(seen(CONTENT), Verdict.SAME, id="unchanged"),
        pytest.param(seen(CONTENT + b"third line\n"), Verdict.SAME, id="grown"),
        pytest.param(seen(CONTENT, path="/log/app.log.1"), Verdict.SAME, id="renamed"),
        pytest.param(seen(b""), Verdict.TRUNCATED, id="emptied"),
        pytest.param(seen(b"first line\n"), Verdict.TRUNCATED, id="shorter"),
        pytest.param(seen(b"other line\nanother one, and longer than before\n"), Verdict.TRUNCATED, id="regrown"),
        pytest.param(seen(b"other text\n" * 9, path="/log/new.log"), Verdict.REPLACED, id="inode used again"),
        pytest.param(seen(CONTENT + b"x\n", inode=8, path="/log/app.log.1"), Verdict.COPY, id="copied"),
        pytest.param(seen(CONTENT[:15], inode=8), Verdict.NEW, id="copy not finished"),
        pytest.param(seen(b"other text\n" * 9, inode=8), Verdict.NEW, id="another file"),
        pytest.param(seen(CONTENT, device=2), Verdict.SAME, id="device renumbered"),
        pytest.param(seen(b"other text\n" * 9, device=2), Verdict.NEW, id="another device"),
    ],
)
def test_verdicts(sighting: Sighting, verdict: Verdict) -> None:
    assert recognise(KNOWN, sighting) is verdict


def test_regrowth_with_the_same_beginning_shows_in_the_frontier_alone() -> None:
    header = b"#Fields: date time\n"
    before, after = header + b"old request\n", header + b"new request\nand one more\n"
    known = Identity(1, 7, "/log/app.log", len(before), Mark.of(header), Mark.of(b"old request\n"))
    now = Sighting(1, 7, "/log/app.log", after[: len(header)], after[len(header) : len(before)])
    assert recognise(known, now) is Verdict.TRUNCATED


def test_a_file_of_which_nothing_was_read_is_known_by_its_name_and_inode() -> None:
    known = Identity(1, 7, "/log/app.log", 0, Mark.of(b""), Mark.of(b""))
    assert recognise(known, Sighting(1, 7, "/log/app.log", b"", b"")) is Verdict.SAME
    assert recognise(known, Sighting(1, 7, "/log/other.log", b"", b"")) is Verdict.REPLACED
    assert recognise(known, Sighting(1, 8, "/log/app.log", b"", b"")) is Verdict.NEW


def test_the_frontier_keeps_the_last_bytes() -> None:
    assert extend(b"ab", b"cd") == b"abcd"
    assert extend(b"a" * FRONTIER_BYTES, b"b") == b"a" * (FRONTIER_BYTES - 1) + b"b"
    assert extend(b"a", b"b" * 1000) == b"b" * FRONTIER_BYTES
