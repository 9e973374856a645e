"""The hundred classes of CIFAR-100."""

from functools import cache

from gevaldi.taxonomy.base import Taxonomy, taxonomy_of

SUPERCLASSES = {
    "aquatic mammals": "beaver dolphin otter seal whale",
    "fish": "aquarium_fish flatfish ray shark trout",
    "flowers": "orchid poppy rose sunflower tulip",
    "food containers": "bottle bowl can cup plate",
    "fruit and vegetables": "apple mushroom orange pear sweet_pepper",
    "household electrical devices": "clock keyboard lamp telephone television",
    "household furniture": "bed chair couch table wardrobe",
    "insects": "bee beetle butterfly caterpillar cockroach",
    "large carnivores": "bear leopard lion tiger wolf",
    "large man-made outdoor things": "bridge castle house road skyscraper",
    "large natural outdoor scenes": "cloud forest mountain plain sea",
    "large omnivores and herbivores": "camel cattle chimpanzee elephant kangaroo",
    "medium-sized mammals": "fox porcupine possum raccoon skunk",
    "non-insect invertebrates": "crab lobster snail spider worm",
    "people": "baby boy girl man woman",
    "reptiles": "crocodile dinosaur lizard snake turtle",
    "small mammals": "hamster mouse rabbit shrew squirrel",
    "trees": "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "vehicles 1": "bicycle bus motorcycle pickup_truck train",
    "vehicles 2": "lawn_mower rocket streetcar tank tractor",
}


@cache
def cifar_100() -> Taxonomy:
    """The 100 classes of CIFAR-100 under their 20 superclasses, by their names in the data set [Krizhevsky 2009].

    This is the data set's own grouping, not WordNet: "ray" is a fish, and "vehicles" come in two parts.
    """
    edges = [(name, above) for above, names in SUPERCLASSES.items() for name in names.split()]
    classes = sorted(name for name, _ in edges)
    roots = [(above, "everything") for above in SUPERCLASSES]
    return taxonomy_of(classes, edges + roots, {name: (name.replace("_", " "), name) for name in classes})
