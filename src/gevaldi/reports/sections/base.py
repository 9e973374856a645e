"""Shared by all sections: the run, and the rendering to HTML."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from gevaldi.measures.duplicates import Deduplicated
from gevaldi.measures.evaluation import Evaluation
from gevaldi.measures.summary import Summary
from gevaldi.names import full_name, plain, told_apart
from gevaldi.reports.environment import environment
from gevaldi.reports.evaluation import cards, on_first_screen
from gevaldi.reports.samples import Gallery, gallery
from gevaldi.reports.search_path import in_page
from gevaldi.reports.sounds import Listening, addresses, listening, size
from gevaldi.runs.near_duplicates import deduplicate, summary_of
from gevaldi.runs.store.pictures import pictures_of
from gevaldi.runs.store.regions import FOLDER, Shown, read_regions
from gevaldi.runs.store.run import Run
from gevaldi.sounds.words import Medium, medium_of
from gevaldi.taxonomy import Taxonomy

CARDS = 12  # regions with pictures on the page; the table has all

Section = TypeVar("Section", bound=Callable[..., str])


def section(title: str, place: float) -> Callable[[Section], Section]:
    """Give a function the title and the place of a section; smaller places come first. `{real}` stands for picture or recording."""

    def attach(function: Section) -> Section:
        function.title, function.place = title, place  # type: ignore[attr-defined]
        return function

    return attach


@dataclass(frozen=True)
class Report:
    """The run behind a report; each property is computed when a section first needs it.

    Attributes:
        run: the run.
        limit: how many samples the gallery shows.
    """

    run: Run
    limit: int

    @cached_property
    def names(self) -> dict[str, str]:
        """Short names of the two classifiers and the generator."""
        first, second = told_apart(self.full_names["first"], self.full_names["second"])
        return {"first": first, "second": second, "generator": plain(self.full_names["generator"])}

    @cached_property
    def full_names(self) -> dict[str, str]:
        """Their names in full."""
        return {side: full_name(self.run.record["models"][side]["name"]) for side in ("first", "second", "generator")}

    @cached_property
    def medium(self) -> Medium:
        """The words for its pictures, which may be sounds."""
        return medium_of(self.run.record)

    @cached_property
    def unit(self) -> str:
        """The unit of the divergence."""
        return plain((self.run.record.get("divergence") or {}).get("unit", ""))

    @cached_property
    def rows(self) -> int:
        """How many rows the run has."""
        return len(self.run.done())

    @cached_property
    def taxonomy(self) -> Taxonomy | None:
        """The hierarchy of the classes, if there is one."""
        return self.run.taxonomy()

    @cached_property
    def deduplicated(self) -> Deduplicated:
        """Near-duplicates among the samples."""
        return deduplicate(self.run)

    @cached_property
    def summaries(self) -> list[Summary]:
        """The numbers of each order."""
        return summary_of(self.run, self.deduplicated)

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The accuracy of both on real pictures; None if the run had none."""
        return Evaluation.of(self.run.record)

    @cached_property
    def pictures(self) -> list[dict[str, Any]]:
        """Both predictions on each real picture and on some generated ones."""
        return pictures_of(self.run)

    @cached_property
    def cards(self) -> list[dict[str, Any]]:
        """The real pictures on the page on which the two differ."""
        return cards(self.pictures, self.medium)

    @cached_property
    def first_cards(self) -> list[dict[str, Any]]:
        """Those of them that the first screen shows."""
        return on_first_screen(self.cards) if self.evaluation else []

    @cached_property
    def gallery(self) -> Gallery:
        """The samples on the page."""
        taken = self.heard + size(self.region_sounds.values())
        return gallery(self.run, self.limit, self.deduplicated, self.taxonomy, taken)

    @cached_property
    def regions(self) -> tuple[dict[str, Any], list[Shown]] | None:
        """The record of the regions of disagreement, and the pictures that show them; None if they were not measured."""
        return read_regions(self.run.folder / FOLDER)

    @cached_property
    def heard(self) -> int:
        """The bytes of the sounds of real recordings."""
        return size(card["sound"] for card in [*self.cards, *self.first_cards])

    @cached_property
    def region_sounds(self) -> dict[int, str | None]:
        """The sounds of the pictures of regions as data URLs, as far as the page has room, by the identity of what is shown."""
        shown = [one for one in self.regions[1] if one.region <= CARDS] if self.regions else []
        heard = addresses([one.sound for one in shown], self.heard)
        return {id(one): address for one, address in zip(shown, heard, strict=True)}

    @cached_property
    def listening(self) -> Listening | None:
        """What the pictures are as sounds; None if they are none."""
        drawn = [one.sound for one in self.regions[1] if one.sound and one.role != "real"] if self.regions else []
        real = [row["sound"]["bytes"] for row in self.pictures if row.get("sound")]
        return self.gallery.listening or listening(drawn) or listening(real)

    @cached_property
    def samples(self) -> list[dict[str, Any]]:
        """The samples, with their paths as JSON, for the templates."""
        return [sample | {"path": in_page(sample["path"])} for sample in self.gallery.samples]

    def html(self, template: str, **context: Any) -> str:
        """Fill a template, given as a file name in `reports/templates` or as HTML.

        `report`, `record` and `medium` are always available. Users' text is escaped.
        """
        from markupsafe import Markup

        found = environment().from_string(template) if "<" in template else environment().get_template(template)
        always = {"report": self, "names": self.names, "record": self.run.record, "spec": self.run.spec, "medium": self.medium}
        return Markup(found.render(**always, **context))
