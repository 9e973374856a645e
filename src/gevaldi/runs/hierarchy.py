"""The taxonomy as a worker needs it: distances on the device, and set distances along a path."""

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
        taxonomy: restricted to these classes, in the order of the predictions.
        whole: the unrestricted hierarchy, which the run stores.
        name: its name in the spec, or the name of the matching bundled hierarchy.
        scale: e(a, b), and the convention of levels.
        matrix: H_w(a, b) in levels, on the device.
        sizes: the sizes n of the sets of top classes whose set distances are recorded.
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
        """Its entry in `run.json`; the hierarchy itself is in `taxonomy.json`."""
        return {
            "name": self.name,
            "classes": list(self.taxonomy.classes),
            "sha256": hash_of_taxonomy(self.taxonomy),
            "convention": self.scale.convention,
            "set_sizes": list(self.sizes),
            "mean_edges": self.scale.mean,
            "by_chance": self.scale.by_chance(),
            "largest": float(self.matrix.max()),
        }


def hierarchy_of(
    spec: Spec, requested: Taxonomy | None, first: tuple[Label, ...], second: tuple[Label, ...], device: torch.device
) -> Hierarchy | None:
    """The hierarchy that a spec requests, over the labels of aligned classifiers; None if there is none.

    Raises:
        TaxonomyError: the requested hierarchy lacks some labels.
    """
    labels = [(a.name, a.id or b.id) for a, b in zip(first, second, strict=True)]
    named = (spec.taxonomy, over(requested, labels)) if requested else fitting(labels) if spec.taxonomy == "auto" else None
    if named is None:
        return None
    name, taxonomy = named
    whole = requested or find_taxonomy(name)
    alone = len(whole.classes) < 2 or {*whole.classes} == {*taxonomy.classes}  # no pairs, or the same pairs, to average over
    scale = Scale(edge_counts(taxonomy), spec.convention, None if alone else frequencies(edge_counts(whole)))
    matrix = torch.from_numpy(distances(taxonomy, spec.convention)).to(device)
    return Hierarchy(taxonomy, whole, name, scale, matrix, tuple(n for n in spec.set_sizes if n < len(labels)))


def taxonomy_of_spec(spec: Spec, given: Taxonomy | None = None, begun: Run | None = None) -> Taxonomy | None:
    """The `given` taxonomy, or the one that the spec names; None for `auto` and `none`.

    If a run was `begun` with an object or file that no longer exists, uses the copy in the run's folder.

    Raises:
        UnknownName, TaxonomyError: the name is unknown, or the file holds no taxonomy.
    """
    if given is not None or spec.taxonomy in ("auto", "none"):
        return given
    copy = begun.whole_taxonomy() if begun and (spec.taxonomy.startswith(OBJECT) or not is_there(spec.taxonomy)) else None
    return copy or find_taxonomy(spec.taxonomy)
