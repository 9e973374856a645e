"""H_w, the distance of two classes in a taxonomy, and Eq. 4, the distance of two sets of classes.

e(a, b) is the number of edges on the shortest path from a up to a common hypernym and down to b. That is not always the shortest
path in the undirected graph, which may also run down and up again, through a node that is neither's hypernym.
"""

from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np

from gevaldi.errors import TaxonomyError, UnknownName
from gevaldi.taxonomy.base import Taxonomy

Convention = Literal["published", "edges"]
Route = Literal["hypernym", "undirected"]

MOST_CLASSES = 22_000  # as ImageNet-21k, whose distances and edge counts take 3 GB
MOST_CELLS = 400_000_000  # of classes and inner nodes
BLOCK = 256  # classes whose ways are looked for at once


def convention_named(name: str) -> Convention:
    """The convention with this name.

    Raises:
        UnknownName: there is no such convention.
    """
    for known in get_args(Convention):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise UnknownName("convention", name, get_args(Convention))


_counted: "WeakKeyDictionary[Taxonomy, dict[Route, np.ndarray]]" = WeakKeyDictionary()


def edge_counts(taxonomy: Taxonomy, route: Route = "hypernym") -> np.ndarray:
    """e(a, b) for all pairs of classes, an integer matrix (classes, classes); symmetric, 0 on the diagonal.

    Computed once per taxonomy and cached as long as it exists; the matrix is read-only.

    Raises:
        TaxonomyError: there are too many classes, or too many pairs of a class and an inner node.
    """
    known = _counted.setdefault(taxonomy, {})
    if route not in known:
        known[route] = _through_hypernyms(taxonomy) if route == "hypernym" else _undirected(taxonomy)
        known[route].flags.writeable = False
    return known[route]


def distances(taxonomy: Taxonomy, convention: Convention = "published", route: Route = "hypernym") -> np.ndarray:
    """H_w(a, b) for all pairs of classes, in levels, a float32 matrix (classes, classes); symmetric, 0 on the diagonal."""
    edges = edge_counts(taxonomy, route)
    found = np.empty(edges.shape, np.float32)
    for row, counts in zip(found, edges, strict=True):  # so that nothing else is as large
        row[:] = levels(counts, convention)
    return found


def frequencies(edges: np.ndarray) -> np.ndarray:
    """The number of ordered pairs of different classes with e = 0, 1, 2, ..., from the matrix of e."""
    size = int(edges.max()) + 1
    found = sum((np.bincount(row, minlength=size) for row in edges), np.zeros(size, dtype=np.int64))
    found[0] -= len(edges)
    return found


def levels(edges: Any, convention: Convention = "published") -> Any:
    """H_w of a path with this number of edges, for a number or an array.

    `published` is (e - 1)/2, and 0 for no edge, the convention of every number printed in the paper: the levels up until two
    classes are neighbours under one node. `edges` is e/2, half the path, the definition in the paper's text.
    """
    return edges / 2 if convention == "edges" else np.maximum(edges - 1, 0) / 2


def set_distance(first: Any, second: Any, matrix: Any) -> Any:
    """Eq. 4: d(C₁, C₂), the mean of H_w over all pairs from two sets of classes, in levels; batched, for arrays and tensors alike.

    Not a metric: for n > 1, the distance of a set to itself is above zero, since its members differ.

    Args:
        first: indices of the first classifier's top classes, (..., n).
        second: the second's, (..., m).
        matrix: `distances(...)`, of the same kind and on the same device.
    """
    return matrix[first[..., :, None], second[..., None, :]].mean((-2, -1))


def most_probable(predictions: Any, n: int) -> Any:
    """The n most probable classes of predictions (..., classes), most probable first, for `set_distance`; arrays and tensors.

    Predictions may be probabilities, log-probabilities or logits. If there are fewer than n classes, all of them.
    """
    n = min(n, predictions.shape[-1])
    if hasattr(predictions, "topk"):
        return predictions.topk(n).indices
    found = np.argpartition(predictions, -n, axis=-1)[..., -n:]
    order = np.argsort(np.take_along_axis(predictions, found, -1), axis=-1)[..., ::-1]
    return np.take_along_axis(found, order, -1)


def _through_hypernyms(taxonomy: Taxonomy) -> np.ndarray:
    """Row by row from the root down: e(v, b) is the levels from b up to v, if it is below v, or one more than of a hypernym of v.

    Of all these the least. A row is of one node and all classes; those of inner nodes are kept until all below have used them.
    """
    order, classes = taxonomy.downwards(), {node: i for i, node in enumerate(taxonomy.classes)}
    inner = [node for node in order if taxonomy.hyponyms[node]]
    _refuse_large(len(classes), len(inner))
    integer = np.int16 if 4 * _height(taxonomy, order) < np.iinfo(np.int16).max else np.int32
    far = np.iinfo(integer).max // 2  # of what is not below
    up = _levels_up(taxonomy, inner, classes, integer, far)
    found = np.empty((len(classes), len(classes)), dtype=integer)
    rows, left = dict[str, np.ndarray](), {node: len(below) for node, below in taxonomy.hyponyms.items()}
    for node in order:
        row = found[classes[node]] if node in classes else np.empty(len(classes), dtype=integer)
        row[:] = up.get(node, far)
        if node in classes:
            row[classes[node]] = 0
        for above in taxonomy.hypernyms[node]:
            np.minimum(row, rows[above] + 1, out=row)
            left[above] -= 1
            if not left[above]:
                del rows[above], up[above]
        if left[node]:
            rows[node] = row
    return found


def _levels_up(
    taxonomy: Taxonomy, inner: list[str], classes: dict[str, int], integer: type[np.signedinteger[Any]], far: int
) -> dict[str, np.ndarray]:
    """For every inner node the levels from each class up to it."""
    found: dict[str, np.ndarray] = {}
    for node in reversed(inner):
        row = np.full(len(classes), far, dtype=integer)
        for below in taxonomy.hyponyms[node]:
            if below in found:
                np.minimum(row, found[below] + 1, out=row)
            elif below in classes:
                row[classes[below]] = 1
        if node in classes:
            row[classes[node]] = 0
        found[node] = row
    return found


def _height(taxonomy: Taxonomy, order: list[str]) -> int:
    """The edges of the longest way down."""
    depth: dict[str, int] = {}
    for node in order:
        depth[node] = max((depth[above] + 1 for above in taxonomy.hypernyms[node]), default=0)
    return max(depth.values())


def _refuse_large(classes: int, inner: int) -> None:
    if classes > MOST_CLASSES or classes * inner > MOST_CELLS:
        raise TaxonomyError(
            f"The hierarchy has {classes:,} classes and {inner:,} nodes above them. Distances are computed for at most "
            f"{MOST_CLASSES:,} classes and {MOST_CELLS:,} pairs of a class and a node above. Leave some out."
        )


def _undirected(taxonomy: Taxonomy) -> np.ndarray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import shortest_path

    _refuse_large(len(taxonomy.classes), len(taxonomy.hypernyms) - len(taxonomy.classes))
    places = {node: i for i, node in enumerate(taxonomy.hypernyms)}
    edges = [(places[node], places[above]) for node, uppers in taxonomy.hypernyms.items() for above in uppers]
    lower, upper = np.array(edges, dtype=np.int32).T  # as csgraph takes them
    graph = coo_array((np.ones(len(edges)), (lower, upper)), shape=(len(places), len(places))).tocsr()
    classes = [places[c] for c in taxonomy.classes]
    found = np.empty((len(classes), len(classes)), dtype=np.int32)
    for i in range(0, len(classes), BLOCK):
        found[i : i + BLOCK] = shortest_path(graph, directed=False, unweighted=True, indices=classes[i : i + BLOCK])[:, classes]
    return found
