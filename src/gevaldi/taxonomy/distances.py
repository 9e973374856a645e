"""H_w: how far apart two classes are in a taxonomy, and Eq. 4: how far apart two sets of them.

e(a, b) is the number of edges on the shortest path from a up to a common hypernym and down to b. That is not always the shortest
path in the undirected graph, which may also run down and up again, through a node that is neither's hypernym.
"""

from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np

from gevaldi.errors import UnknownName
from gevaldi.taxonomy.base import Taxonomy

Convention = Literal["published", "edges"]
Route = Literal["hypernym", "undirected"]


def convention_named(name: str) -> Convention:
    """The convention that a user names.

    Raises:
        UnknownName: there is none of that name.
    """
    for known in get_args(Convention):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise UnknownName("convention", name, get_args(Convention))


_counted: "WeakKeyDictionary[Taxonomy, dict[Route, np.ndarray]]" = WeakKeyDictionary()


def edge_counts(taxonomy: Taxonomy, route: Route = "hypernym") -> np.ndarray:
    """e(a, b) for all pairs of classes, an integer matrix (classes, classes); symmetric, 0 on the diagonal.

    Counted once for a taxonomy and kept as long as it is; the matrix cannot be written to.
    """
    known = _counted.setdefault(taxonomy, {})
    if route not in known:
        known[route] = _through_hypernyms(taxonomy) if route == "hypernym" else _undirected(taxonomy)
        known[route].flags.writeable = False
    return known[route]


def distances(taxonomy: Taxonomy, convention: Convention = "published", route: Route = "hypernym") -> np.ndarray:
    """H_w(a, b) for all pairs of classes, in levels, a float32 matrix (classes, classes); symmetric, 0 on the diagonal."""
    found: np.ndarray = levels(edge_counts(taxonomy, route), convention).astype(np.float32)
    return found


def levels(edges: Any, convention: Convention = "published") -> Any:
    """H_w of a path of so many edges, for a number or an array.

    `published` is (e - 1)/2, and 0 for no edge, which every number printed in the paper follows: how far to go up until two classes
    are neighbours under one node. `edges` is e/2, half the path, which is what the paper's text says.
    """
    return edges / 2 if convention == "edges" else np.maximum(edges - 1, 0) / 2


def set_distance(first: Any, second: Any, matrix: Any) -> Any:
    """Eq. 4: d(C₁, C₂), the mean of H_w over all pairs from two sets of classes, in levels; batched, for arrays and tensors alike.

    Not a metric: for n > 1 a set has a distance to itself, since its members differ.

    Args:
        first: indices of the first classifier's top classes, (..., n).
        second: the second's, (..., m).
        matrix: `distances(...)`, of the kind and on the device of the others.
    """
    return matrix[first[..., :, None], second[..., None, :]].mean((-2, -1))


def most_probable(predictions: Any, n: int) -> Any:
    """The n most probable classes of predictions (..., classes), the first first, as `set_distance` takes them; arrays and tensors.

    Predictions may be probabilities, their logarithms or logits. All classes, if there are fewer than n.
    """
    n = min(n, predictions.shape[-1])
    if hasattr(predictions, "topk"):
        return predictions.topk(n).indices
    found = np.argpartition(predictions, -n, axis=-1)[..., -n:]
    order = np.argsort(np.take_along_axis(predictions, found, -1), axis=-1)[..., ::-1]
    return np.take_along_axis(found, order, -1)


def _through_hypernyms(taxonomy: Taxonomy) -> np.ndarray:
    """For every node, all classes below it meet there: at the sum of their levels up to it; the least sum over nodes counts."""
    below: dict[str, list[tuple[int, int]]] = {}
    for index, node in enumerate(taxonomy.classes):
        for above, up in taxonomy.levels_up(node).items():
            below.setdefault(above, []).append((index, up))
    count = len(taxonomy.classes)
    found = np.full((count, count), np.iinfo(np.int32).max, dtype=np.int32)
    for pairs in below.values():
        indices, up = np.array(pairs, dtype=np.int32).T
        block = np.ix_(indices, indices)
        found[block] = np.minimum(found[block], up[:, None] + up[None, :])
    return found


def _undirected(taxonomy: Taxonomy) -> np.ndarray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import shortest_path

    places = {node: i for i, node in enumerate(taxonomy.hypernyms)}
    edges = [(places[node], places[above]) for node, uppers in taxonomy.hypernyms.items() for above in uppers]
    lower, upper = np.array(edges).T
    graph = coo_array((np.ones(len(edges)), (lower, upper)), shape=(len(places), len(places))).tocsr()
    classes = [places[c] for c in taxonomy.classes]
    found: np.ndarray = shortest_path(graph, directed=False, unweighted=True, indices=classes)[:, classes].astype(np.int32)
    return found
