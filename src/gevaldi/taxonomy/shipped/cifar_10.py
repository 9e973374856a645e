"""The ten classes of CIFAR-10."""

from functools import cache

from gevaldi.taxonomy.base import Taxonomy, taxonomy_of
from gevaldi.taxonomy.shipped import _wordnet

CLASSES = {
    "n02691156": ("airplane",),
    "n02958343": ("automobile", "car"),
    "n01503061": ("bird",),
    "n02121620": ("cat",),
    "n02430045": ("deer",),
    "n02084071": ("dog",),
    "n01639765": ("frog",),
    "n02374451": ("horse",),
    "n04194289": ("ship",),
    "n04490091": ("truck",),
}
DEER = ("n02430045", "n02399000")  # is a ruminant; none of ImageNet's thousand classes is a deer, so it is not in that table


@cache
def cifar_10() -> Taxonomy:
    """The 10 classes of CIFAR-10 over the noun hypernyms of WordNet 3.0, by WordNet id [Krizhevsky 2009]."""
    return taxonomy_of(list(CLASSES), [*_wordnet.edges(), DEER], {**_wordnet.names(), **CLASSES})
