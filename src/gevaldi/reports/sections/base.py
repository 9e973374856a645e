"""What all sections share: the run that they are about, and how they become HTML."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from gevaldi.measures.duplicates import Deduplicated
from gevaldi.measures.evaluation import Evaluation
from gevaldi.measures.summary import Summary
from gevaldi.names import full_name, plain, told_apart
from gevaldi.reports.environment import environment
from gevaldi.reports.evaluation import cards
from gevaldi.reports.samples import Gallery, gallery
from gevaldi.reports.search_path import in_page
from gevaldi.runs.near_duplicates import deduplicate, summary_of
from gevaldi.runs.store.pictures import pictures_of
from gevaldi.runs.store.run import Run
from gevaldi.taxonomy import Taxonomy

Section = TypeVar("Section", bound=Callable[..., str])


def section(title: str, place: float) -> Callable[[Section], Section]:
    """Give a function the title and the place of a section: those with smaller numbers stand above."""

    def attach(function: Section) -> Section:
        function.title, function.place = title, place  # type: ignore[attr-defined]
        return function

    return attach


@dataclass(frozen=True)
class Report:
    """A run to be shown; each property is computed when the first section needs it.

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
    def finds(self) -> Deduplicated:
        """Near-duplicates among the samples."""
        return deduplicate(self.run)

    @cached_property
    def summaries(self) -> list[Summary]:
        """The numbers of each order."""
        return summary_of(self.run, self.finds)

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """Who is right on real pictures; None if the run had none."""
        return Evaluation.of(self.run.record)

    @cached_property
    def pictures(self) -> list[dict[str, Any]]:
        """What both say of each real picture, and of some drawn ones."""
        return pictures_of(self.run)

    @cached_property
    def cards(self) -> list[dict[str, Any]]:
        """The real pictures on which the two differ, as far as the page shows them."""
        return cards(self.pictures)

    @cached_property
    def gallery(self) -> Gallery:
        """The samples that the page shows."""
        return gallery(self.run, self.limit, self.finds, self.taxonomy)

    @cached_property
    def samples(self) -> list[dict[str, Any]]:
        """The same as the templates take them."""
        return [sample | {"path": in_page(sample["path"])} for sample in self.gallery.samples]

    def html(self, template: str, **context: Any) -> str:
        """Fill a template: the name of a file in `reports/templates`, or HTML itself. `report` and `record` are always in it.

        What comes from users is escaped.
        """
        from markupsafe import Markup

        found = environment().from_string(template) if "<" in template else environment().get_template(template)
        return Markup(found.render(report=self, names=self.names, record=self.run.record, spec=self.run.spec, **context))
