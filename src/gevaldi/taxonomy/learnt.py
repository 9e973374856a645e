"""Taxonomies by hierarchical clustering: of a classifier's confusions, of embeddings of its classes, or of any dissimilarities."""

from collections.abc import Mapping, Sequence

import numpy as np

from gevaldi.errors import TaxonomyError, UnknownName
from gevaldi.taxonomy.base import Taxonomy, taxonomy_of

LINKAGES = ("average", "complete", "single")

SMALLEST = 1e-12  # below it a confusion is as good as none


def taxonomy_from_confusions(
    confusions: np.ndarray, classes: Sequence[str], linkage: str = "average", names: Mapping[str, str] | None = None
) -> Taxonomy:
    """Cluster classes that are often confused: hierarchical clustering with -log of the mean confusion as dissimilarity.

    Args:
        confusions: (classes, classes); entry (i, j) is how often, or with which mean probability, pictures of class i are called j.
        classes: their ids or names.
        linkage: the dissimilarity of two clusters: that of their members on average, of the two farthest (complete), or of the two
            nearest (single).
        names: names of classes whose ids are not names.

    Raises:
        UnknownName: there is no such linkage.
        TaxonomyError: the matrix is not square, negative, not finite, of another size, or has an empty row.
    """
    counts = np.asarray(confusions, dtype=float)
    if counts.shape != (len(classes), len(classes)) or not np.isfinite(counts).all() or (counts < 0).any():
        raise TaxonomyError(
            f"The confusions have shape {counts.shape} for {len(classes)} classes; expected a square matrix of finite numbers, "
            "none below zero."
        )
    empty = [name for name, total in zip(classes, counts.sum(1), strict=True) if total == 0]
    if empty:
        raise TaxonomyError(f"There are no confusions of {', '.join(map(repr, empty[:5]))}: the row is empty.")
    rates = counts / counts.sum(1, keepdims=True)
    return taxonomy_from_dissimilarities(-np.log(np.maximum((rates + rates.T) / 2, SMALLEST)), classes, linkage, names)


def taxonomy_from_embeddings(
    embeddings: np.ndarray, classes: Sequence[str], linkage: str = "average", names: Mapping[str, str] | None = None
) -> Taxonomy:
    """Cluster classes whose embeddings point the same way: hierarchical clustering with 1 - cosine as dissimilarity.

    Args:
        embeddings: (classes, features), such as the weights of a classifier's last layer, or means over each class's pictures.
        classes: their ids or names.
        linkage, names: as in `taxonomy_from_confusions`.

    Raises:
        UnknownName: there is no such linkage.
        TaxonomyError: there is not one embedding a class, or one is zero or not finite.
    """
    vectors = np.asarray(embeddings, dtype=float)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if vectors.ndim != 2 or len(vectors) != len(classes) or not np.isfinite(lengths).all() or (lengths == 0).any():
        raise TaxonomyError(
            f"The embeddings have shape {vectors.shape} for {len(classes)} classes; expected one vector a class, finite and not "
            "zero."
        )
    directions = vectors / lengths
    return taxonomy_from_dissimilarities(1 - directions @ directions.T, classes, linkage, names)


def taxonomy_from_dissimilarities(
    dissimilarity: np.ndarray, classes: Sequence[str], linkage: str = "average", names: Mapping[str, str] | None = None
) -> Taxonomy:
    """Cluster classes that are alike. Merges at equal heights become one node, so that the order of classes does not matter.

    Args:
        dissimilarity: (classes, classes), 0 on the diagonal; of (i, j) and (j, i) the mean counts.
        classes: their ids or names.
        linkage, names: as in `taxonomy_from_confusions`.

    Raises:
        UnknownName: there is no such linkage.
        TaxonomyError: there is only one class.
    """
    from scipy.cluster.hierarchy import linkage as merge
    from scipy.spatial.distance import squareform

    if linkage not in LINKAGES:
        raise UnknownName("linkage", linkage, LINKAGES)
    if len(classes) < 2:
        raise TaxonomyError(f"There is {len(classes)} class; a hierarchy needs two or more.")
    apart = np.maximum((dissimilarity + dissimilarity.T) / 2, 0)
    np.fill_diagonal(apart, 0)
    below = _joined(merge(squareform(apart, checks=False), linkage), len(classes))
    free = "cluster:" + "'" * sum(name.startswith("cluster:") for name in classes)  # that no class is called so
    nodes = [*classes, *(f"{free}{i}" for i in range(1, len(below) - len(classes) + 1))]
    called = dict(names or {})
    labels, edges = dict(called), []
    waiting = [len(nodes) - 1]
    while waiting:
        here = waiting.pop()
        edges += [(nodes[child], nodes[here]) for child in below[here]]
        waiting += below[here]
    for here in range(len(classes), len(nodes)):
        labels[nodes[here]] = _listed([called.get(classes[i], classes[i]) for i in sorted(_members(below, here))])
    return taxonomy_of(classes, edges, {node: (name,) for node, name in labels.items()})


def _joined(merges: np.ndarray, classes: int) -> list[list[int]]:
    """The nodes directly below every class (none) and every merge; a merge at the height of one below it takes over its parts."""
    below: list[list[int]] = [[] for _ in range(classes)]
    heights = [-np.inf] * classes
    tolerance = 1e-9 * max(1.0, float(merges[-1, 2]))
    for one, other, height, _ in merges:
        parts = (int(one), int(other))
        below.append([lower for part in parts for lower in (below[part] if heights[part] >= height - tolerance else [part])])
        heights.append(height)
    return below


def _members(below: list[list[int]], here: int) -> list[int]:
    """The classes below a merge."""
    found, waiting = [], [here]
    while waiting:
        node = waiting.pop()
        waiting += below[node]
        if not below[node]:
            found.append(node)
    return found


def _listed(names: Sequence[str]) -> str:
    """Members in braces, so that a path through clusters is readable: {4, 7, 9}."""
    return "{" + ", ".join([*names[:3], *([f"+{len(names) - 3}"] if len(names) > 3 else [])]) + "}"
