"""An outcome as text for the terminal: what is behind comes first, then a table for each piece of work."""

from collections.abc import Callable, Sequence

from benchmarks.outcome import QUANTITIES, Demand, Figure, Outcome, Row

RED, GREEN, PLAIN = "\033[31m", "\033[32m", "\033[0m"


def text(outcome: Outcome, *, colour: bool) -> str:
    def paint(words: str, with_colour: str) -> str:
        return f"{with_colour}{words}{PLAIN}" if colour else words

    lines = [f"== {outcome.benchmark}: {outcome.about}"]
    lines += [paint(f"UNDELIVERED {row.name} ({row.work}): {row.arrived} of {row.expected}", RED)
              for row in outcome.undelivered]  # fmt: skip
    lines += [paint(f"BEHIND {demand}", RED) for demand in outcome.missed]
    lines += [f"not run: {peer.name}, {peer.why_not}" for peer in outcome.peers if peer.why_not]
    for work in outcome.works():
        lines += ["", *_table(outcome, work, paint)]
    return "\n".join([*lines, "", paint(_closing(outcome), RED if outcome.missed or outcome.undelivered else GREEN)])


def _closing(outcome: Outcome) -> str:
    met = len(outcome.demands) - len(outcome.missed)
    demands = f"{met} of {len(outcome.demands)} demands met" if outcome.demands else "no demand judged"
    missing = len(outcome.undelivered)
    return f"{demands}; {f'{missing} rows incomplete' if missing else 'everything arrived'}"


def summary(outcomes: Sequence[Outcome], *, colour: bool) -> str:
    """Of all benchmarks: what is behind, the worst first."""
    missed = sorted((each for outcome in outcomes for each in outcome.missed), key=lambda each: each.distance)
    asked_for = sum(len(outcome.demands) for outcome in outcomes)
    lines = [f"{asked_for - len(missed)} of {asked_for} demands met", *(f"BEHIND {demand}" for demand in missed)]
    return "\n".join([lines[0], *(f"{RED}{line}{PLAIN}" if colour else line for line in lines[1:])])


def quantities_of(rows: Sequence[Row]) -> list[str]:
    """What any of them has a figure for, in the order of the first."""
    return list(dict.fromkeys(quantity for row in rows for quantity in row.figures))


def shown(figure: Figure | None, quantity: str) -> str:
    return "" if figure is None else f"{figure.median:,.{QUANTITIES[quantity].digits}f}"


def spread(figure: Figure, quantity: str) -> str:
    digits = QUANTITIES[quantity].digits
    return f"{figure.lowest:,.{digits}f} to {figure.highest:,.{digits}f}"


def asked(demand: Demand) -> str:
    """The ratio or figure with what was asked of it."""
    kind = QUANTITIES[demand.quantity]
    sign = "≥" if demand.at_least else "≤"
    if demand.beside is None:
        return f"{demand.reached:.2f} {kind.unit} ({sign} {demand.wanted:.2f})"
    return f"{kind.title} {demand.reached:.2f} x {demand.beside} ({sign} {demand.wanted:.2f})"


def _table(outcome: Outcome, work: str, paint: Callable[[str, str], str]) -> list[str]:
    rows = outcome.rows_of(work)
    quantities = quantities_of(rows)
    head = [work, *(QUANTITIES[quantity].title for quantity in quantities)]
    head.insert(2, "spread")
    cells = [[_label(row), *(shown(row.figures.get(quantity), quantity) for quantity in quantities)] for row in rows]
    for row, line in zip(rows, cells, strict=True):
        first = row.figures.get(quantities[0])
        line.insert(2, spread(first, quantities[0]) if first and row.rounds > 1 else "")
    if not any(line[2] for line in cells):
        for line in [head, *cells]:
            del line[2]
    widths = [max(len(line[column]) for line in [head, *cells]) for column in range(len(head))]
    lines = [_line(head, widths)]
    for row, line in zip(rows, cells, strict=True):
        demands = [each for each in outcome.demands if (each.work, each.name) == (work, row.name)]
        if row.size is not None and row.size < max(each.size or 0 for each in rows if each.name == row.name):
            demands = []  # what is asked of a growing cost is asked of the largest size
        remarks = [paint(f"behind: {asked(each)}", RED) for each in demands if not each.met]
        if met := len(demands) - len(remarks):
            remarks.append(paint(f"{met} met", GREEN))
        noisy = [f"{row.noisy} noisy"] if row.noisy else []
        lines.append("  ".join([_line(line, widths), *remarks, *noisy]))
    return lines


def _label(row: Row) -> str:
    return row.name if row.size is None else f"{row.name}, {row.size:,.0f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (f"{cell:<{width}}" if at == 0 else f"{cell:>{width}}"
                    for at, (cell, width) in enumerate(zip(cells, widths, strict=True)))  # fmt: skip
    return "  ".join([first, *rest])
