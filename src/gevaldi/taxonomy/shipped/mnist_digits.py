"""The ten handwritten digits of MNIST.

Learnt once from the mean predictions of `bundled:mnist-referee` on the 60,000 training digits:

    gevaldi cluster bundled:mnist-referee --pictures mnist:train,folder=DIR --out mnist_digits.json
"""

import json
from functools import cache
from importlib import resources

from gevaldi.taxonomy.base import Taxonomy, taxonomy_of


@cache
def mnist_digits() -> Taxonomy:
    """The 10 digits of MNIST by their confusions: 4 with 9, 3 with 5 and 8, 1 with 7 and 2, 0 with 6.

    Learnt from the confusions of `bundled:mnist-referee` on the 60,000 training digits. No classifier has its ids, such as
    `digit:4`, so it is used only on request; a label such as "4" is matched by name.
    """
    learnt = json.loads((resources.files(__package__) / "mnist_digits.json").read_text(encoding="utf-8"))
    ids = {node: f"digit:{node}" if node in learnt["classes"] else node for node in learnt["nodes"]}
    edges = [(ids[node], ids[above]) for node, entry in learnt["nodes"].items() for above in entry["hypernyms"]]
    names = {ids[node]: entry.get("names", [node]) for node, entry in learnt["nodes"].items()}
    return taxonomy_of([ids[digit] for digit in learnt["classes"]], edges, names)
