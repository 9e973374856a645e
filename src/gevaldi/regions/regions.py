"""The regions of a run, as its folder holds them. Needs no torch."""

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gevaldi.errors import SpecError, UnknownName
from gevaldi.images import open_picture
from gevaldi.runs.store.regions import FOLDER, read_regions
from gevaldi.runs.store.run import Run
from gevaldi.storage import Location

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image


ESTIMATES = tuple(f"{name}{end}" for name in ("mass", "share", "rate") for end in ("", "_low", "_high"))
ROLES = ("exemplar", "probable", "real")
COLUMNS = ["title", "first_class", "second_class", "systematic", *ESTIMATES, "disputed", "real_disputed", "levels"]


@dataclass(frozen=True, repr=False)
class Regions:
    """The regions in which two classifiers differ, the most important first.

    Attributes:
        folder: the run's folder.
        record: the contents of `regions/regions.json`.
    """

    folder: Location
    record: dict[str, Any]

    @classmethod
    def of(cls, run: Run) -> "Regions | None":
        """Those of a run; None if it has none yet.

        Raises:
            RunFolderError: they cannot be read.
        """
        found = read_regions(run.folder / FOLDER)
        return None if found is None else cls(run.folder, found[0])

    def __len__(self) -> int:
        return len(self.record["regions"])

    def __repr__(self) -> str:
        systematic = sum(region["systematic"] for region in self.record["regions"])
        return f"Regions({len(self)} regions, {systematic} systematic, {str(self.folder)!r})"

    @property
    def sentences(self) -> list[str]:
        """What was found, in sentences."""
        return list(self.record["sentences"])

    def frame(self) -> "pd.DataFrame":
        """One row for each region: title, classes, kind, and mass, share and rate with their intervals."""
        import pandas as pd

        return pd.DataFrame([_flat(region) for region in self.record["regions"]], columns=COLUMNS)

    def pictures(self, number: int, role: str = "exemplar") -> "list[Image.Image]":
        """The pictures that show a region, counted from 1: its exemplars, the `probable` one, or `real` ones like it.

        Only the first twelve regions have pictures.

        Raises:
            SpecError: there is no such region, or no such kind of pictures.
            RunFolderError: they cannot be read.
        """
        if role not in ROLES:
            raise UnknownName("kind of pictures", role, ROLES)
        if not 1 <= number <= len(self):
            raise SpecError(f"There is no region {number}; there are {len(self)}, counted from 1.")
        _, shown = read_regions(self.folder / FOLDER) or ({}, [])
        some = [one for one in shown if (one.region, one.role) == (number, role)]
        return [open_picture(one.picture, f"A picture of region {number}") for one in some]

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences)
        return lines + (self.frame().to_html(index=False, escape=True) if len(self) else "")


def _flat(region: dict[str, Any]) -> dict[str, Any]:
    own, real = region["drawn"], region["real"] or {}
    flat = {key: region[key] for key in ("title", "first_class", "second_class", "systematic")}
    for key in ("mass", "share", "rate"):
        flat |= {key: own[key]["value"], f"{key}_low": own[key]["low"], f"{key}_high": own[key]["high"]}
    return flat | {"disputed": own["disputed"], "real_disputed": real.get("disputed"), "levels": region["levels"]}
