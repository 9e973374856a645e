"""The ten classes of Fashion-MNIST."""

from functools import cache

from gevaldi.taxonomy.base import Taxonomy, taxonomy_of
from gevaldi.taxonomy.shipped import _wordnet

CLASSES = {
    "n03595614": ("T-shirt/top", "T-shirt", "tee shirt", "jersey"),
    "n04489008": ("Trouser", "pant"),
    "n04021028": ("Pullover", "slipover"),
    "n03236735": ("Dress", "frock"),
    "n03057021": ("Coat",),
    "n04133789": ("Sandal",),
    "n04197391": ("Shirt",),
    "n03472535": ("Sneaker", "gym shoe", "tennis shoe"),
    "n02774152": ("Bag", "handbag", "pocketbook", "purse"),
    "n02872752": ("Ankle boot", "boot"),
}
ABOVE = {"n03472535": "n04199027", "n02774152": "n03094503"}  # a shoe, a container; neither is above any of ImageNet's classes


@cache
def fashion_garments() -> Taxonomy:
    """The 10 classes of Fashion-MNIST over the noun hypernyms of WordNet 3.0, by WordNet id [Xiao 2017].

    In WordNet a T-shirt is a shirt: the two are one edge apart, which is 0 levels in the published convention.
    """
    return taxonomy_of(list(CLASSES), [*_wordnet.edges(), *ABOVE.items()], {**_wordnet.names(), **CLASSES})
