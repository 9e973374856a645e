"""A verdict for continuous integration: an exit status, a comment in Markdown, and a test in JUnit's format."""

from xml.etree import ElementTree

from gevaldi.statistics.intervals import Estimate
from gevaldi.statistics.words import percentage
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.decisions import State
from gevaldi.verdicts.sentences import headline, lower_is_better, operands, sentences, short_names, signed, span

STATUS: dict[State, int] = {"holds": 0, "fails": 1, "undecided": 2}
MARKER = "<!-- gevaldi verdict -->"
"""By which a bot finds the comment that it replaces."""


def claim_in_words(verdict: Assessment) -> str:
    """What has to hold, such as: pooled is not worse than strided by more than 0.5 %."""
    if len(verdict.names) > 2:
        return "the best classifier is known"
    first, second = short_names(verdict)
    unit = verdict.questions[0].score.unit
    own = verdict.settings.margin
    margin = f"{own:g} {unit}" if unit else f"{100 * own:g} percentage point{'' if round(100 * own, 9) == 1 else 's'}"
    return {
        "better": f"{second} is better than {first}",
        "not-worse": f"{second} is not worse than {first}" + (f" by more than {margin}" if own else ""),
        "equivalent": f"{second} differs from {first} by at most {margin}",
    }[verdict.settings.claim]


def rows(verdict: Assessment) -> list[tuple[str, str, str]]:
    """Quantity, estimate and interval of two classifiers, by every question; of several classifiers, their ranks."""
    if len(verdict.names) > 2:
        ranking, score, size = verdict.ranking, verdict.questions[0].score, len(verdict.pool)
        is_known = verdict.used or not len(verdict.disputed)
        estimates = [signed(one, score, size) if is_known else "–" for one in ranking.scores]
        return [(short_names(verdict)[i], estimates[i], _rank(*ranking.ranks[i])) for i in ranking.order]
    found = []
    first, second = short_names(verdict)
    for number, question in enumerate(verdict.questions):
        own = verdict.evidence[number, (0, 1)]
        difference, flips = own.difference(), own.flips()
        value = "–" if difference.value != difference.value else signed(difference.value, own.score, own.size)
        way = ", " + " minus ".join(operands(own.score, first, second)) if lower_is_better(own.score) else ""
        found.append((f"difference in {question.name}{way}", value, span(difference, own.score, own.size)))
        by = f" in {question.name}" if len(verdict.questions) > 1 else ""
        for word, flip in (("worse", flips.negative), ("better", flips.positive)):
            found.append((f"{verdict.pool.medium.real}s on which {second} is {word}{by}", *share(flip, own.size)))
    return found


def share(flip: Estimate, pictures: int) -> tuple[str, str]:
    """A share of the pool in words, and its interval."""
    value = "–" if flip.value != flip.value else "0 %" if flip.value == 0 else percentage(flip.value, pictures)
    if flip.low == flip.high:
        return value, "exact"
    return value, f"{percentage(flip.low, pictures).removesuffix(' %')} to {percentage(flip.high, pictures)}"


def _rank(best: int, worst: int) -> str:
    return f"rank {best}" if best == worst else f"rank {best} to {worst}"


def as_markdown(verdict: Assessment) -> str:
    """The verdict as a comment on a change."""
    mark = {"holds": "✅", "fails": "❌", "undecided": "❔"}[verdict.state]
    head = ("classifier", "score minus mean", "rank") if len(verdict.names) > 2 else ("", "estimate", "interval")
    table = [f"| {' | '.join(head)} |", "|---|---|---|", *(f"| {' | '.join(map(_cell, row))} |" for row in rows(verdict))]
    lines = sentences(verdict)[1:]
    return "\n".join(
        [
            MARKER,
            f"### {mark} {_cell(headline(verdict))}",
            "",
            f"Claim: {_cell(claim_in_words(verdict))}: **{verdict.state}**.",
            "",
            *table,
            "",
            *map(_cell, lines),
            "",
        ]
    )


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def as_junit(verdict: Assessment) -> str:
    """The verdict as one test: passed, failed, or skipped while undecided."""
    counted: dict[str, str] = {"failures": str(int(verdict.state == "fails")), "skipped": str(int(verdict.state == "undecided"))}
    suite = ElementTree.Element("testsuite", {"name": "gevaldi verdict", "tests": "1", "errors": "0"} | counted)
    case = ElementTree.SubElement(suite, "testcase", {"classname": "gevaldi.verdict", "name": claim_in_words(verdict)})
    if verdict.state != "holds":
        kind = "failure" if verdict.state == "fails" else "skipped"
        ElementTree.SubElement(case, kind, message=headline(verdict))
    ElementTree.SubElement(case, "system-out").text = "\n".join(sentences(verdict))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
