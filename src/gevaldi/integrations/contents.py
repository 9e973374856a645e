"""What a tool is given of a result, whatever the tool: numbers with intervals, pictures, sentences and files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gevaldi.errors import MissingExtra
from gevaldi.names import plain
from gevaldi.statistics.intervals import Estimate

if TYPE_CHECKING:
    from PIL.Image import Image

GROUP = "gevaldi"  # before every name, so that trackers show the numbers together and apart from a user's own


@dataclass(frozen=True)
class Metric:
    """A number and its interval.

    Attributes:
        name: the same for the same quantity of every result, such as accuracy/difference.
        value: the number; NaN if only its interval is known.
        low, high: the interval; NaN without one.
        words: what it is, for people.
        real: the name of the real pictures that it is about; empty if it is about generated ones.
    """

    name: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    words: str = ""
    real: str = ""

    @classmethod
    def of(cls, name: str, estimate: Estimate, words: str, real: str = "") -> "Metric":
        """From an estimate."""
        return cls(name, estimate.value, estimate.low, estimate.high, words, real)


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        name: such as worse/01.
        caption: what both classifiers say of it.
        image: as Pillow has it.
    """

    name: str
    caption: str
    image: "Image"


@dataclass(frozen=True)
class Contents:
    """A result as tools take it.

    Attributes:
        title: what was compared.
        model: the name of the newer classifier.
        facts: what the numbers rest on.
        sentences: the result in words, the most important first.
        table: quantity, value and interval in words.
        metrics: the numbers.
        pictures: those that show the difference.
        files: name and text of the page and the record.
    """

    title: str
    model: str
    facts: dict[str, str]
    sentences: Sequence[str]
    table: Sequence[tuple[str, str, str]]
    metrics: Sequence[Metric]
    pictures: Sequence[Picture]
    files: dict[str, str]

    def numbers(self) -> dict[str, float]:
        """Every number by its name; an interval is two more, of the name and _low or _high. Unknown ones are left out."""
        return {
            f"{GROUP}/{metric.name}{end}": value
            for metric in self.metrics
            for end, value in (("", metric.value), ("_low", metric.low), ("_high", metric.high))
            if value == value
        }

    def groups(self) -> Iterator[tuple[str, list[Picture]]]:
        """The pictures by the first part of their names."""
        for group in dict.fromkeys(one.name.partition("/")[0] for one in self.pictures):
            yield group, [one for one in self.pictures if one.name.partition("/")[0] == group]

    def markdown(self) -> str:
        """Sentences, the table and the facts as Markdown, below a heading of the second level."""
        rows = [f"| {' | '.join(map(escaped, row))} |" for row in self.table]
        table = ["| | value | interval |", "|---|---|---|", *rows]
        facts = [f"- {name}: {escaped(text)}" for name, text in self.facts.items()]
        first, *others = map(escaped, self.sentences)
        parts = [f"## {escaped(self.title)}", first, " ".join(others), "\n".join(table) if rows else "", "\n".join(facts)]
        return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """A text that Markdown shows as it stands: no tag, link, picture or emphasis, and no line of its own."""
    return re.sub(r"([\\`*_\[\]|<>#])", r"\\\1", " ".join(plain(text, None).split()))


def slug(text: str) -> str:
    """A text as a part of a name, of letters, digits, points and hyphens: what every tracker takes."""
    return re.sub(r"[^0-9A-Za-z.-]+", "_", text).strip("_.") or "_"


def check_installed(package: str) -> None:
    """Refuse to go on without a package.

    Raises:
        MissingExtra: it is not installed; the message says how to.
    """
    if find_spec(package) is None:
        raise MissingExtra(package, f"gevaldi.integrations.{package}", package)
