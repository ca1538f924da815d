"""docs/benchmarks.md and its charts, from the results that are kept: between its markers nothing is written by hand.

What is said around the figures is the page's own. `write` is the only function that touches files.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import charts, growth, report, results_files
from benchmarks.outcome import QUANTITIES, Demand, Outcome, Row

DOCS = Path(__file__).parent.parent / "docs"
PAGE, CHARTS = "benchmarks.md", "benchmarks"
GUIDE_STEPS = 40
NBSP = "\N{NO-BREAK SPACE}"
QUIET_LOAD = 3.0
"""Above it others are at work. Two is what the benchmark before leaves behind."""
TITLES = {
    "shipper": "The log shipper",
    "adapter": "The log format adapter",
    "dbproxy": "The database ambassador: PostgreSQL",
    "dbproxy-mysql": "The database ambassador: MariaDB",
    "dbproxy-redis": "The database ambassador: Redis",
    "footprint": "Weight",
    "growth": "Growth",
}
SHORT = {"shipper": "Shipper", "adapter": "Adapter", "dbproxy": "PostgreSQL", "dbproxy-mysql": "MariaDB",
         "dbproxy-redis": "Redis", "footprint": "Weight", "growth": "Growth"}  # fmt: skip
# Benchmark → its charts: quantity, and the contestant whose figure is 1 in each group (none: as measured).
CHARTED: dict[str, list[tuple[str, str]]] = {
    "shipper": [("klines_per_cpu_s", "")],
    "adapter": [("klines_per_cpu_s", "")],
    "dbproxy": [("cpu_us", "HAProxy"), ("tps", "HAProxy")],
    "dbproxy-mysql": [("cpu_us", "HAProxy"), ("tps", "HAProxy")],
    "dbproxy-redis": [("cpu_us", "HAProxy"), ("tps", "HAProxy")],
}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks pages", description=__doc__)
    parser.add_argument("--results", type=Path, default=results_files.DIRECTORY)
    write(parser.parse_args(argv).results)
    return 0


def write(results: Path, docs: Path = DOCS) -> None:
    """Writes benchmarks.md below `docs` anew between its markers, and its charts beside it."""
    page, folder = docs / PAGE, docs / CHARTS
    outcomes = results_files.read_all(results)
    folder.mkdir(exist_ok=True)
    pictures = {name: picture for outcome in outcomes for name, picture in pictures_of(outcome)}
    for old in folder.glob("*.svg"):
        if old.name not in pictures:
            old.unlink()
    for name, picture in pictures.items():
        (folder / name).write_text(picture)
    text = page.read_text()
    for marker, content in (("behind", behind(outcomes)), ("figures", figures(outcomes)), ("setups", setups(outcomes))):
        text = replaced(text, marker, content)
    page.write_text(text)


def replaced(text: str, marker: str, content: str) -> str:
    """`text` with what stands between the two markers of this name exchanged."""
    begin, end = f"<!-- {marker}: written by python -m benchmarks pages -->", f"<!-- {marker} ends -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no place for {marker}")
    return pattern.sub(lambda _: f"{begin}\n{content.strip()}\n{end}", text)


def behind(outcomes: Sequence[Outcome]) -> str:
    missed = [(outcome.benchmark, demand) for outcome in outcomes for demand in outcome.missed]
    total = sum(len(outcome.demands) for outcome in outcomes)
    if not missed:
        return f"All {total} demands are met."
    judged = [outcome for outcome in outcomes if outcome.demands]
    met = [f"{len(each.demands) - len(each.missed)} of {len(each.demands)}" for each in judged]
    lines = [f"{total - len(missed)} of {total} demands are met:", ""]
    lines += [f"| {' | '.join(_link(each.benchmark) for each in judged)} |", "|---" * len(judged) + "|"]
    lines += [f"| {' | '.join(met)} |", "", "Behind, the worst first:", ""]
    lines += ["| | what | reached | asked |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_missed(*each) for each in sorted(missed, key=lambda each: each[1].distance))])


def _link(benchmark: str) -> str:
    anchor = re.sub(r"[^\w\- ]", "", TITLES[benchmark].lower()).replace(" ", "-")
    return f"[{SHORT[benchmark]}](#{anchor})"


def _missed(benchmark: str, demand: Demand) -> str:
    kind, sign = QUANTITIES[demand.quantity], "≥" if demand.at_least else "≤"
    unit = kind.unit if demand.beside is None else f"of {demand.beside}"
    spread = ", within the spread of the rounds" if demand.within_spread else ""
    what = f"{demand.name} ({demand.work}): {kind.title}"
    asked = f"{sign}{NBSP}{demand.wanted:.2f}"
    return f"| {_link(benchmark)} | {what} | **{demand.reached:.2f}** {unit}{spread} | {asked} |"


def figures(outcomes: Sequence[Outcome]) -> str:
    return "\n\n".join(section(outcome) for outcome in outcomes)


def section(outcome: Outcome) -> str:
    facts = outcome.machine
    when = outcome.taken_at[:10]
    rounds = max((row.rounds for row in outcome.rows), default=1)
    measured = f"medians of {rounds} interleaved rounds" if rounds > 1 else "measured once"
    parts = [
        f"## {TITLES[outcome.benchmark]}",
        f"{facts['cpu']}, {facts['cores']} cores, {facts['system']}, Python {facts['python']}; {when}, {measured}; the "
        f"machine's load was {facts['load_before']} before and {facts['load_after']} after.",
    ]
    if float(facts["load_before"]) > QUIET_LOAD:
        parts.append(
            "**Other work ran on the machine: ratios hold better than figures, and neither as on a quiet one.**"
        )
    versions = [f"{peer.name} {peer.version}" for peer in outcome.peers if not peer.why_not]
    absent = [f"{peer.name} ({peer.why_not})" for peer in outcome.peers if peer.why_not]
    if versions:
        parts.append(f"Beside it: {', '.join(versions)}." + (f" Not run: {', '.join(absent)}." if absent else ""))
    pictures = [f"![{title}](benchmarks/{name})" for name, title in _pictured(outcome)]
    if any(row.size is not None for row in outcome.rows):
        return "\n\n".join([*parts, *_grown(outcome, dict(_pictured(outcome)))])
    return "\n\n".join([*parts, *pictures, *(_table(outcome, work) for work in outcome.works())])


def setups(outcomes: Sequence[Outcome]) -> str:
    """Each peer's settings, once, under the benchmark that used them first."""
    peers: dict[tuple[str, str], str] = {}
    for outcome in outcomes:
        for peer in outcome.peers:
            peers |= {(peer.name, name): text for name, text in peer.setups.items() if (peer.name, name) not in peers}
    return "\n\n".join(
        f"<details><summary>{peer}, {name}</summary>\n\n```\n{text.strip()}\n```\n\n</details>"
        for (peer, name), text in peers.items()
    )


def _table(outcome: Outcome, work: str) -> str:
    rows = outcome.rows_of(work)
    quantities = report.quantities_of(rows)
    titles = [QUANTITIES[quantity].title for quantity in quantities]
    lines = [f"| {' | '.join([work, *titles, 'asked'])} |", f"|---|{'---:|' * len(titles)}---|"]
    for row in rows:
        cells = [_name(row), *(_figure(row, quantity) for quantity in quantities), _asked(outcome, row)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _name(row: Row) -> str:
    noisy = f" ({row.noisy} of {row.rounds} rounds noisy)" if row.noisy else ""
    return (f"**{row.name}**" if row.ours else row.name) + noisy


def _figure(row: Row, quantity: str) -> str:
    figure = row.figures.get(quantity)
    if figure is None:
        return ""
    first = next(iter(row.figures)) == quantity and row.rounds > 1
    spread = report.spread(figure, quantity).replace(" ", NBSP)
    return report.shown(figure, quantity) + (f"<br>({spread})" if first else "")


def _asked(outcome: Outcome, row: Row) -> str:
    demands = [each for each in outcome.demands if (each.work, each.name) == (row.work, row.name)]
    said = "<br>".join(report.asked(each) if each.met else f"**behind: {report.asked(each)}**" for each in demands)
    return re.sub(r"([≥≤]) ", rf"\1{NBSP}", said)


def _grown(outcome: Outcome, titles: dict[str, str]) -> Iterator[str]:
    for work in outcome.works():
        yield f"### {work}"
        if all(row.size is None for row in outcome.rows_of(work)):
            yield _table(outcome, work)
            continue
        for quantity in report.quantities_of(outcome.rows_of(work)):
            name = _growth_name(work, quantity)
            yield f"![{titles[name]}](benchmarks/{name})"
        verdicts = [demand for demand in outcome.demands if demand.work == work]
        yield "\n".join(f"- {_verdict(each)}: {each}" for each in verdicts)
        yield _sizes(outcome.rows_of(work))


def _verdict(demand: Demand) -> str:
    if not demand.met:
        return "**behind**"
    return "in proportion" if demand.beside and demand.beside.startswith(growth.LINE) else "flat"


def _sizes(rows: Sequence[Row]) -> str:
    """One line for each size, one column for each contestant's quantity."""
    names = list(dict.fromkeys(row.name for row in rows))
    columns = [
        (name, quantity) for name in names for quantity in report.quantities_of([r for r in rows if r.name == name])
    ]
    heads = [f"{name}: {QUANTITIES[quantity].title}" for name, quantity in columns]
    lines = [f"| | {' | '.join(heads)} |", f"|---:|{'---:|' * len(columns)}"]
    for size in sorted({row.size for row in rows if row.size is not None}):
        of_size = {row.name: row for row in rows if row.size == size}
        cells = [
            report.shown(of_size[name].figures.get(quantity), quantity) if name in of_size else ""
            for name, quantity in columns
        ]
        lines.append(f"| {size:,.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def pictures_of(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """File names and SVG."""
    titles = dict(_pictured(outcome))
    for quantity, yardstick in CHARTED.get(outcome.benchmark, []):
        name = f"{outcome.benchmark}-{quantity.replace('_', '-')}.svg"
        yield (
            name,
            charts.bars(titles[name], list(_groups(outcome, quantity, yardstick)), mark=1.0 if yardstick else None),
        )
    for work in outcome.works():
        rows = [row for row in outcome.rows_of(work) if row.size is not None]
        for quantity in report.quantities_of(rows):
            name = _growth_name(work, quantity)
            unit = QUANTITIES[quantity].unit
            yield name, charts.lines(titles[name], work.partition(": ")[2], unit, list(_series(rows, quantity)))


def _pictured(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """File names and titles."""
    for quantity, yardstick in CHARTED.get(outcome.benchmark, []):
        kind = QUANTITIES[quantity]
        title = f"{TITLES[outcome.benchmark]}: {kind.title}"
        beside = f", {yardstick} = 1" if yardstick else ""
        yield f"{outcome.benchmark}-{quantity.replace('_', '-')}.svg", f"{title}{beside} ({kind.better} is better)"
    for work in outcome.works():
        for quantity in report.quantities_of([row for row in outcome.rows_of(work) if row.size is not None]):
            kind = QUANTITIES[quantity]
            yield _growth_name(work, quantity), f"{work}: {kind.title} ({kind.better} is better)"


def _growth_name(work: str, quantity: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", f"{work} {quantity}".lower()).strip("-")
    return f"growth-{words}.svg"


def _groups(outcome: Outcome, quantity: str, yardstick: str) -> Iterator[tuple[str, list[charts.Bar]]]:
    for work in outcome.works():
        rows = [row for row in outcome.rows_of(work) if quantity in row.figures]
        by_name = {row.name: row.median(quantity) for row in rows}
        if yardstick and not by_name.get(yardstick):
            continue
        unit = by_name[yardstick] if yardstick else 1.0
        found = [(row, row.figures[quantity]) for row in rows]
        bars = [
            charts.Bar(row.name, figure.median / unit, figure.lowest / unit, figure.highest / unit, row.ours)
            for row, figure in found
        ]
        if bars:
            yield work, bars


def _series(rows: Sequence[Row], quantity: str) -> Iterator[charts.Series]:
    for name in dict.fromkeys(row.name for row in rows):
        own = [row for row in rows if row.name == name and quantity in row.figures]
        if not own:
            continue
        points = growth.points_of(own, own[0].work, name, quantity)
        yield charts.Series(name, points, own[0].ours)
        if (own[0].work, name, quantity) in growth.PROPORTIONAL and len(points) > 2:
            steps = [
                points[0][0] * (points[-1][0] / points[0][0]) ** (step / GUIDE_STEPS) for step in range(GUIDE_STEPS + 1)
            ]
            guide = [(size, growth.in_proportion(points, size)) for size in steps]
            yield charts.Series(
                f"in proportion, by {points[0][0]:,.0f} and {points[-2][0]:,.0f}", guide, False, guide=True
            )
