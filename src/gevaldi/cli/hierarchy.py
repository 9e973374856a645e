"""The commands for the hierarchy of classes: `gevaldi distance` and `gevaldi cluster`."""

from typing import Annotated

import typer

from gevaldi.cli.words import complete, say, tell
from gevaldi.errors import TaxonomyError


def distance(
    first: Annotated[str, typer.Argument(help="a class, by WordNet id, index or name")],
    second: Annotated[str, typer.Argument(help="the other class")],
    taxonomy: Annotated[
        str, typer.Option(help="a name (gevaldi list taxonomies) or a file", autocompletion=complete("taxonomies"))
    ] = "ilsvrc",
    convention: Annotated[str, typer.Option(help="published, (edges - 1) / 2, as in the paper; or edges, edges / 2")] = "published",
) -> None:
    """Show how far apart two classes are.

    Prints the distance in levels of the hierarchy, and the path from one class to the other in words. Example:

    \b
      gevaldi distance harvestman "barn spider"
    """
    from gevaldi.taxonomy import convention_named, find_taxonomy, in_words, levels, way

    counted = convention_named(convention)
    classes = find_taxonomy(taxonomy)
    found = way(classes, classes.find(first), classes.find(second))
    one, other = (
        f"{classes.name(node)} ({node})" if node != classes.name(node) else node for node in (found.nodes[0], found.nodes[-1])
    )
    tell(f"{levels(found.edges, counted):.1f} levels ({convention}; {found.edges} edge{'s' * (found.edges != 1)})")
    tell(in_words(classes, found))
    tell(f"They meet at {classes.name(found.top)}: {found.up} up from {one}, {found.down} down to {other}.")


def cluster(
    classifier: Annotated[str, typer.Argument(help="SOURCE:NAME", autocompletion=complete("classifiers"))],
    pictures: Annotated[
        str, typer.Option(help="real pictures, e.g. folder:DIR; sub-folders name classes", autocompletion=complete("pictures"))
    ],
    out: Annotated[str, typer.Option(help="output file, for --taxonomy of gevaldi compare", metavar="FILE")] = "taxonomy.json",
    size: Annotated[
        int | None, typer.Option(min=1, max=2_048, help="resize pictures to this many pixels a side", show_default="their own size")
    ] = None,
    linkage: Annotated[str, typer.Option(help="average, complete, single")] = "average",
) -> None:
    """Learn a hierarchy of classes from a classifier's confusions.

    Clusters the classifier's mean predictions on real pictures, so classes that it confuses end up close together. Example:

    \b
      gevaldi cluster bundled:mnist-referee --pictures bundled:mnist-digits --out digits.json
      gevaldi compare bundled:mnist-strided bundled:mnist-pooled -g bundled:mnist-vae --taxonomy digits.json
    """
    from gevaldi.classifiers import load_classifier
    from gevaldi.confusions import confusions
    from gevaldi.pictures import sources
    from gevaldi.storage import local_path
    from gevaldi.taxonomy import outline, taxonomy_from_confusions, write_taxonomy

    file = local_path(out)
    if file.suffix != ".json":
        raise TaxonomyError(f"--out {out} was given; the hierarchy is written as JSON, for example --out digits.json.")
    network = load_classifier(classifier)
    confused = confusions(network, sources.load(pictures), (size, size) if size else None)
    if confused.unknown:
        say(f"gevaldi: warning: {confused.unknown}")
    names = {label.id: label.name for label in network.labels if label.id}
    learnt = taxonomy_from_confusions(confused.matrix, [label.id or label.name for label in network.labels], linkage, names)
    try:
        write_taxonomy(learnt, file)
    except OSError as error:
        raise TaxonomyError(f"{out} cannot be written: {error.strerror or error}.") from error
    if len(learnt.classes) <= 50:
        tell(outline(learnt))
    rows = "their true classes" if confused.by_truth else "the classifier's top classes, since the true ones are unknown"
    tell(f"taxonomy: {out} ({len(learnt.classes)} classes, from {confused.pictures:,} pictures by {rows})")
