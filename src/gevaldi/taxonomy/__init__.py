"""The hierarchy of classes (§4.2 of the paper): how serious it is to take one class for another. Needs no torch.

The taxonomies that ship are listed by name; to add one, add a file to `shipped/` that holds a function of the file's name.
"""

from gevaldi.registry import Registry
from gevaldi.taxonomy.base import Taxonomy, taxonomy_of
from gevaldi.taxonomy.distances import convention_named, distances, edge_counts, levels, set_distance
from gevaldi.taxonomy.explain import in_words, way
from gevaldi.taxonomy.read import read_taxonomy

registry = Registry("taxonomy", "gevaldi.taxonomy.shipped")

__all__ = [
    "Taxonomy",
    "convention_named",
    "distances",
    "edge_counts",
    "in_words",
    "levels",
    "read_taxonomy",
    "registry",
    "set_distance",
    "taxonomy_of",
    "way",
]
