"""The hierarchy of classes (§4.2 of the paper): how serious it is to confuse two classes. Needs no torch.

Bundled taxonomies are listed by name; to add one, add a file to `shipped/` that holds a function of the file's name.
"""

from gevaldi.taxonomy.base import Taxonomy, contracted, restricted, taxonomy_of
from gevaldi.taxonomy.distances import Convention, convention_named, distances, edge_counts, levels, most_probable, set_distance
from gevaldi.taxonomy.explain import in_words, outline, way
from gevaldi.taxonomy.labels import find_taxonomy, fitting, over
from gevaldi.taxonomy.learnt import taxonomy_from_confusions, taxonomy_from_embeddings
from gevaldi.taxonomy.read import read_taxonomy, write_taxonomy
from gevaldi.taxonomy.shipped import registry

__all__ = [
    "Convention",
    "Taxonomy",
    "contracted",
    "convention_named",
    "distances",
    "edge_counts",
    "find_taxonomy",
    "fitting",
    "in_words",
    "levels",
    "most_probable",
    "outline",
    "over",
    "read_taxonomy",
    "registry",
    "restricted",
    "set_distance",
    "taxonomy_from_confusions",
    "taxonomy_from_embeddings",
    "taxonomy_of",
    "way",
    "write_taxonomy",
]
