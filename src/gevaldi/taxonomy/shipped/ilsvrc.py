"""ImageNet's thousand classes."""

from functools import cache

from gevaldi.taxonomy.base import Taxonomy, taxonomy_of
from gevaldi.taxonomy.shipped import _wordnet


@cache
def ilsvrc() -> Taxonomy:
    """The 1,000 classes of ILSVRC 2012 over the noun hypernyms of WordNet 3.0, by WordNet id [Russakovsky 2015].

    1,860 nodes and 1,937 edges; 75 nodes have more than one hypernym. Classes are matched by id and never by name: the first sense
    of 208 class names is something else.
    """
    return taxonomy_of(_wordnet.wordnet()["classes"], _wordnet.edges(), _wordnet.names())
