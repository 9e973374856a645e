"""What a worker needs of a taxonomy: distances on the device, and the path of the set distance."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.measures.kinds import Scale
from gevaldi.models import Label
from gevaldi.names import OBJECT
from gevaldi.runs.store.run import Run
from gevaldi.spec import Spec
from gevaldi.taxonomy import Taxonomy, distances, edge_counts, find_taxonomy, fitting, over, set_distance
from gevaldi.taxonomy.base import hash_of_taxonomy
from gevaldi.taxonomy.distances import frequencies
from gevaldi.taxonomy.labels import is_there


@dataclass(frozen=True)
class Hierarchy:
    """The hierarchy of the classes that a run compares.

    Attributes:
        taxonomy: over these classes, in the order of the predictions.
        whole: the same before it was restricted to these classes, as a run keeps it.
        name: as the spec or the search for it named it.
        scale: e(a, b), and the convention of levels.
        matrix: H_w(a, b) in levels, on the device.
        sizes: the numbers of top classes whose set distances are followed.
    """

    taxonomy: Taxonomy
    whole: Taxonomy
    name: str
    scale: Scale
    matrix: Float[Tensor, "classes classes"]
    sizes: tuple[int, ...]

    def along(self, first: Int[Tensor, "rows top"], second: Int[Tensor, "rows top"]) -> dict[int, Float[Tensor, " rows"]]:
        """Eq. 4 for each size, from top classes, the most probable first."""
        return {n: set_distance(first[:, :n], second[:, :n], self.matrix) for n in self.sizes}

    def record(self) -> dict[str, Any]:
        """As `run.json` keeps it; the hierarchy itself is beside it, in `taxonomy.json`."""
        return {
            "name": self.name,
            "classes": list(self.taxonomy.classes),
            "sha256": hash_of_taxonomy(self.taxonomy),
            "convention": self.scale.convention,
            "set_sizes": list(self.sizes),
            "mean_edges": self.scale.mean,
            "by_chance": self.scale.by_chance(),
        }


def hierarchy_of(
    spec: Spec, asked: Taxonomy | None, first: tuple[Label, ...], second: tuple[Label, ...], device: torch.device
) -> Hierarchy | None:
    """The hierarchy that a spec asks for, over the labels of aligned classifiers; None where there is none.

    Raises:
        TaxonomyError: one was asked for, and some labels have no place in it.
    """
    labels = [(a.name, a.id or b.id) for a, b in zip(first, second, strict=True)]
    found = (spec.taxonomy, over(asked, labels)) if asked else fitting(labels) if spec.taxonomy == "auto" else None
    if found is None:
        return None
    name, taxonomy = found
    whole = asked or find_taxonomy(name)
    alone = len(whole.classes) < 2 or {*whole.classes} == {*taxonomy.classes}  # nothing to average over, or nothing else
    scale = Scale(edge_counts(taxonomy), spec.convention, None if alone else frequencies(edge_counts(whole)))
    matrix = torch.from_numpy(distances(taxonomy, spec.convention)).to(device)
    return Hierarchy(taxonomy, whole, name, scale, matrix, tuple(n for n in spec.set_sizes if n < len(labels)))


def taxonomy_of_spec(spec: Spec, given: Taxonomy | None = None, begun: Run | None = None) -> Taxonomy | None:
    """The taxonomy that was given, or that a spec names; None for `auto` and `none`.

    Where a run was `begun` with one that is no longer there, an object or a file, it is the copy in the run's folder.

    Raises:
        UnknownName, TaxonomyError: there is none of that name, or the file holds none.
    """
    if given is not None or spec.taxonomy in ("auto", "none"):
        return given
    kept = begun.whole_taxonomy() if begun and (spec.taxonomy.startswith(OBJECT) or not is_there(spec.taxonomy)) else None
    return kept or find_taxonomy(spec.taxonomy)
