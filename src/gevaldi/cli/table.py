"""The summary of a run as a small table."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gevaldi.measures.summary import Summary
from gevaldi.names import plain, told_apart
from gevaldi.reports.answer import answer
from gevaldi.reports.numbers import typicality
from gevaldi.reports.sentences import probable_sentences
from gevaldi.runs.store.run import Run
from gevaldi.sounds.words import medium_of
from gevaldi.statistics.words import counted


def summary_table(run: Run, found: list[Summary]) -> None:
    """Print which classifier real pictures favour, one line for each order of the search, and the number of distinct samples."""
    first, second = told_apart(run.record["models"]["first"]["name"], run.record["models"]["second"]["name"])
    for sentence in answer(run.record, {"first": first, "second": second}).sentences:
        Console(highlight=False).print(Text(sentence))
    unit = plain(run.record["divergence"]["unit"])
    table = Table(title=Text(f"{first}  vs  {second}"), title_justify="left", box=None, pad_edge=False)
    sizes = sorted({n for s in found for n in s.set_distance_end})[:1]
    apart = [f"levels, n={n}" for n in sizes]
    failed = ["failed"] if any(s.failed for s in found) else []  # so that the table keeps within 80 columns
    for head in ("order", "samples", "differ", f"divergence, {unit}", *apart, "Δz", "typicality", *failed):
        table.add_column(Text(head), justify="left" if head == "order" else "right", no_wrap=True)
    for s in found:
        cells = (
            _before_and_after(s),
            f"{_short(s.divergence_start.value)} → {_short(s.divergence_end.value)}",
            *(_levels(s, n) for n in sizes),
            f"{s.delta_z.value:.2f}",
            typicality(s.typicality.value),
        )
        nothing = ("–",) * len(cells)
        table.add_row(s.order, str(s.samples), *(cells if s.failed < s.samples else nothing), *([str(s.failed)] if failed else []))
    Console().print(table)
    for sentence in probable_sentences(found, medium_of(run.record)):
        Console(highlight=False).print(Text(sentence))
    if found and all(s.distinct is not None for s in found):
        many = sum(s.distinct or 0 for s in found)
        samples = f"{many:,} distinct sample{'s' * (many != 1)}"
        Console(highlight=False).print(f"{samples} (different top classes after; near-duplicates count once)")


def _before_and_after(found: Summary) -> str:
    start, end = counted(found.differ_start), counted(found.differ_end)
    return f"{start.removesuffix(' %').partition(' of ')[0]} → {end}"


def _short(value: float) -> str:
    """Three significant digits, but at most three decimals."""
    return f"{value:.3g}" if abs(value) >= 0.1 else "< 0.001" if 0 < value < 0.001 else f"{value:.3f}"


def _levels(found: Summary, n: int) -> str:
    """The mean set distance before and after; a dash if all samples failed."""
    if n not in found.set_distance_end:
        return "–"
    return f"{found.set_distance_start[n].value:.1f} → {found.set_distance_end[n].value:.1f}"
