"""The demo's output: readable at 80 columns, coloured only where that is wanted."""

import io

from podmates.terminal import Terminal


def printed(columns: int = 80, *, colours: bool = False) -> tuple[Terminal, io.StringIO]:
    stream = io.StringIO()
    return Terminal(stream, columns=columns, colours=colours), stream


def test_no_line_is_wider_than_the_terminal() -> None:
    terminal, stream = printed(60)
    terminal.step("a heading " * 20)
    terminal.say("a fact " * 30)
    terminal.verdict(True, "a claim " * 12, "1 = 1")
    terminal.block("x" * 200 + "\n\tshort")
    assert max(map(len, stream.getvalue().splitlines())) <= 60


def test_a_pipe_gets_no_colours() -> None:
    stream = io.StringIO()
    terminal = Terminal.on(stream, colours=True)
    terminal.step("step")
    terminal.verdict(False, "claim", "1 = 2")
    assert "\x1b" not in stream.getvalue()


def test_colours_where_they_are_wanted() -> None:
    terminal, stream = printed(colours=True)
    terminal.verdict(True, "claim")
    assert stream.getvalue() == "\x1b[32m  ok  \x1b[0mclaim\n"


def test_a_block_is_cut_after_its_lines() -> None:
    terminal, stream = printed()
    terminal.block("a\nb\nc\nd", most_lines=2)
    assert stream.getvalue() == "    a\n    b\n    … 2 lines more\n"


def test_a_table_with_its_sum() -> None:
    terminal, stream = printed()
    terminal.table(("", "logged"), [("access", 12), ("json", 3), ("all", 15)])
    assert stream.getvalue().splitlines() == [
        "          logged",
        "  ------  ------",
        "  access      12",
        "  json         3",
        "  ------  ------",
        "  all         15",
    ]
